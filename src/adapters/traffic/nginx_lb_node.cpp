#include "adapters/traffic/nginx_lb_node.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace hitless::traffic {
namespace {

constexpr DurationMs kLookDeadlineMs = 2'500;
constexpr DurationMs kApplyDeadlineMs = 15'000;
constexpr DurationMs kPollMs = 30;
constexpr int kChangeTries = 3;  // while somebody else edits the file

std::string shown(std::string_view text) {
  return redact(escape_for_terminal(truncate_utf8(trim(text), 300)));
}

ErrorCode code_of(int exit_code) {
  if (exit_code == nginx_lb_changed) return ErrorCode::unavailable;
  if (exit_code == nginx_lb_refused) return ErrorCode::invalid;
  return ErrorCode::failed;
}

}  // namespace

Task<Result<std::string>> NginxLbLink::run(std::vector<std::string> args, std::string input,
                                           DurationMs deadline_ms) {
  const std::string verb = args.front();
  std::vector<std::string> argv = {"sh", "-c", nginx_lb_script(), "sh"};
  argv.insert(argv.end(), args.begin(), args.end());
  auto ran = co_await node_.host->exec(std::move(argv), std::move(input), deadline_ms, true);
  if (!ran) {
    Error error = ran.error();
    if (error.where.empty()) error.where = node_.name;
    co_return tl::unexpected(std::move(error));
  }
  if (ran->exit_code == 0 && !ran->truncated) co_return std::move(ran->out);
  const std::string said = shown(ran->err);
  co_return fail(code_of(ran->exit_code),
                 verb + " of its upstream file failed: " +
                     (said.empty() ? "exit code " + std::to_string(ran->exit_code) : said),
                 node_.name);
}

Task<Result<NginxLbView>> NginxLbLink::look() {
  std::string peers;
  for (const NginxLbMember& member : pool_->members) {
    const std::string pattern = socket_pattern(member.server);
    peers += (peers.empty() ? "" : " ") + (pattern.empty() ? std::string("-") : pattern);
  }
  std::vector<std::string> args = {"look", pool_->files.upstreams, pool_->files.pid_file,
                                   pool_->files.error_log, peers};
  auto out = co_await run(std::move(args), {}, kLookDeadlineMs);
  if (!out) co_return tl::unexpected(out.error());
  auto view = parse_nginx_look(*out);
  if (view && view->sockets.size() != pool_->members.size())
    view = fail(ErrorCode::failed, "its state came back incomplete");
  if (view && sha256_hex(view->text) != view->sha)
    view = fail(ErrorCode::unavailable, "its upstream file changes while it is read");
  if (!view) view.error().where = node_.name;
  co_return view;
}

Task<Result<std::string>> NginxLbLink::pending() {
  auto view = co_await look();
  if (!view) co_return tl::unexpected(view.error());
  std::vector<std::string> args = {"pending", pool_->files.binary, pool_->files.main_config,
                                   pool_->files.pid_file};
  auto out = co_await run(std::move(args), {}, kApplyDeadlineMs);
  if (!out) co_return tl::unexpected(out.error());
  std::string newest;
  shutdown_timeout_.clear();
  for (const std::string& line : split(*out, '\n')) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string::npos) continue;
    const std::string path = line.substr(blank + 1);
    if (line.starts_with("timeout ")) {
      shutdown_timeout_ = truncate_utf8(path, 20);
      continue;
    }
    const double mtime = std::strtod(line.substr(0, blank).c_str(), nullptr);
    if (path != pool_->files.upstreams && loaded_since(*view, mtime) == Loaded::no) newest = path;
  }
  co_return newest;
}

Task<std::string> NginxLbLink::log_since(std::int64_t offset) {
  if (offset < 0) co_return "its error log cannot be read";
  std::vector<std::string> args = {"tail", pool_->files.error_log, std::to_string(offset)};
  auto out = co_await run(std::move(args), {}, kLookDeadlineMs);
  if (!out) co_return "its error log cannot be read";
  for (const std::string& line : split(*out, '\n')) {
    if (line.find("[emerg]") != std::string::npos || line.find("[alert]") != std::string::npos)
      co_return shown(line);
  }
  co_return "its error log says nothing";
}

// Not one exit code is believed: the workers that take connections must be younger than the text.
Task<Status> NginxLbLink::prove(NginxLbView before) {
  const TimeMs end = steady_now_ms() + pool_->reload_wait_ms;
  for (;;) {
    auto now = co_await look();
    if (!now) co_return tl::unexpected(now.error());
    const bool fresh = std::ranges::none_of(now->workers, [&](const NginxWorker& worker) {
      return !worker.old && std::ranges::any_of(before.workers, [&](const NginxWorker& was) {
        return was.pid == worker.pid && was.start_ticks == worker.start_ticks;
      });
    });
    if (fresh && loaded_since(*now, now->mtime) == Loaded::yes) co_return Status{};
    if (steady_now_ms() >= end) break;
    co_await sleep_for(kPollMs);
  }
  co_return fail(ErrorCode::failed,
                 "nginx was told to reload and did not: " + co_await log_since(before.log_size),
                 node_.name, "see its error log");
}

Task<Status> NginxLbLink::change_once(std::function<Result<std::string>(std::string_view)> edit) {
  auto before = co_await look();
  if (!before) co_return tl::unexpected(before.error());
  auto text = edit(before->text);
  if (!text) {
    text.error().where = node_.name + ":" + pool_->files.upstreams;
    co_return tl::unexpected(text.error());
  }
  const bool read = loaded_since(*before, before->mtime) != Loaded::no;
  if (*text == before->text && read) co_return Status{};
  if (*text != before->text && !read)
    co_return fail(ErrorCode::refused,
                   "nginx has not read its upstream file since it was changed: to reload it now "
                   "would also bring in somebody else's edit",
                   node_.name, "reload nginx there, or undo that edit");
  auto others = co_await pending();
  if (!others) co_return tl::unexpected(others.error());
  if (!others->empty())
    co_return fail(ErrorCode::refused,
                   "nginx has not read " + shown(*others) +
                       " since it was changed: to reload it now would also bring that in",
                   node_.name, "reload nginx there, or undo that edit");
  std::vector<std::string> args = {"apply",
                                   pool_->files.upstreams,
                                   before->sha,
                                   pool_->files.binary,
                                   pool_->files.main_config,
                                   pool_->files.pid_file,
                                   sha256_hex(*text)};
  auto applied = co_await run(std::move(args), *text, kApplyDeadlineMs);
  if (!applied) co_return tl::unexpected(applied.error());
  Status proven = co_await prove(*before);
  if (proven || *text == before->text) co_return proven;
  std::vector<std::string> undo = {"undo", pool_->files.upstreams, sha256_hex(*text),
                                   fmt::format("{:.9f}", before->mtime), before->sha};
  auto undone = co_await run(std::move(undo), before->text, kApplyDeadlineMs);
  if (!undone)
    proven.error().what += "; its upstream file could not be put back: " + describe(undone.error());
  co_return proven;
}

Task<Status> NginxLbLink::change(std::function<Result<std::string>(std::string_view)> edit) {
  for (int left = kChangeTries;; --left) {
    Status changed = co_await change_once(edit);
    if (changed || changed.error().code != ErrorCode::unavailable || left <= 1) co_return changed;
  }
}

}  // namespace hitless::traffic
