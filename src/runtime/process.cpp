#include "runtime/process.hpp"

#include <sys/wait.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/time.hpp"
#include "runtime/child.hpp"
#include "runtime/readable.hpp"

namespace hitless {
namespace asio = boost::asio;
namespace {

constexpr auto as_codes = asio::as_tuple(asio::use_awaitable);

// Something that the child left running may hold its pipes open; what it writes after this is not
// ours.
constexpr DurationMs pipe_grace_ms = 200;

struct Run {
  Run(Child c, const asio::any_io_executor& executor)
      : child(std::move(c)),
        in(executor, child.in.release()),
        out(executor, child.out.release()),
        err(executor, child.err.release()),
        ended(executor, child.exit_event.release()) {}
  Child child;
  asio::posix::stream_descriptor in, out, err, ended;
  int status = 0;
  int open_pipes = 2;
  Signal pipe_closed;
};

Task<void> feed(std::shared_ptr<Run> run, std::string input) {
  // An error means that the child does not want to read it all: its own affair.
  co_await asio::async_write(run->in, asio::buffer(input), as_codes);
  run->in.close();
}

Task<void> collect(std::shared_ptr<Run> run, asio::posix::stream_descriptor* from, std::string* to,
                   std::size_t limit) {
  auto chunk = std::make_unique<std::array<char, 65536>>();
  while (true) {
    const auto [code, n] = co_await from->async_read_some(asio::buffer(*chunk), as_codes);
    to->append(chunk->data(), std::min(n, limit - std::min(limit, to->size())));
    if (code) break;
  }
  --run->open_pipes;
  run->pipe_closed.notify();
}

Task<void> wait_for_exit(std::shared_ptr<Run> run) {
  std::optional<int> status;
  while (!status) {
    co_await wait_readable(&run->ended);
    status = run->child.try_reap();
  }
  run->status = *status;
  while (run->open_pipes > 0) {
    const bool closed = co_await run->pipe_closed.wait_for(pipe_grace_ms);
    if (!closed) break;
  }
  run->out.close();
  run->err.close();
  run->in.close();
}

}  // namespace

Task<Result<ProcessOutput>> run_process(std::vector<std::string> argv, std::string input,
                                        DurationMs deadline_ms, std::size_t max_output_bytes) {
  auto child = Child::start(argv);
  if (!child) co_return tl::unexpected(child.error());
  auto run = std::make_shared<Run>(std::move(*child), co_await asio::this_coro::executor);
  auto output = std::make_shared<ProcessOutput>();

  std::vector<Task<void>> parts;
  parts.push_back(feed(run, std::move(input)));
  parts.push_back(collect(run, &run->out, &output->out, max_output_bytes));
  parts.push_back(collect(run, &run->err, &output->err, max_output_bytes));
  parts.push_back(wait_for_exit(run));
  const bool in_time = co_await finish_within(join_all(std::move(parts)), deadline_ms);
  if (!in_time) {
    run->child.kill_group();
    co_return fail(ErrorCode::timed_out, fmt::format("{} did not end within {} and was killed",
                                                     argv[0], format_duration(deadline_ms)));
  }
  if (WIFSIGNALED(run->status))
    output->signal = WTERMSIG(run->status);
  else
    output->exit_code = WEXITSTATUS(run->status);
  co_return std::move(*output);
}

}  // namespace hitless
