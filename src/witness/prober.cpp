#include "witness/prober.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <boost/asio/ip/address.hpp>
#include <future>
#include <thread>

#include "witness/probe_loop.hpp"
#include "witness/tally.hpp"

namespace hitless::witness {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr double kMaxRatePerS = 2000;
constexpr std::size_t kMaxPaths = 64;
constexpr int kMaxWeight = 1000;
constexpr std::size_t kMaxExpect = 4 * 1024;
constexpr std::size_t kMaxPostBytes = 16 * 1024;
constexpr std::size_t kMaxKept = 1024;
constexpr DurationMs kMaxTimeoutMs = 120'000;
constexpr std::size_t kMaxLingering = 256;
constexpr std::size_t kSpareFds = 128;  // for everybody else in this process

bool visible(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
}

bool header_name(std::string_view text) {
  return visible(text) && text.find_first_of(":\"(),/;<=>?@[\\]{}") == std::string_view::npos;
}

Status bad(std::string what) {
  return fail(ErrorCode::invalid, "prober: " + std::move(what));
}

Status check(const ProberConfig& c) {
  if (!visible(c.address) || c.port == 0) return bad("needs an address and a port");
  if (!(c.rate_per_s > 0 && c.rate_per_s <= kMaxRatePerS)) return bad("rate must be in (0, 2000]");
  if (c.paths.empty() || c.paths.size() > kMaxPaths) return bad("needs 1 to 64 paths");
  std::int64_t total = 0;
  for (const ProbePath& path : c.paths) {
    if (!visible(path.path) || path.path[0] != '/' || path.path.size() > 2048)
      return bad("a path must start with '/' and hold visible ASCII only");
    if (path.expect.size() > kMaxExpect) return bad("expected text above 4 KiB");
    if (path.weight < 0 || path.weight > kMaxWeight) return bad("weights must be in 0..1000");
    total += path.weight;
  }
  std::int64_t types = 0;
  for (int weight : c.weights) {
    if (weight < 0 || weight > kMaxWeight) return bad("weights must be in 0..1000");
    types += weight;
  }
  if (total == 0 || types == 0) return bad("all weights are 0");
  if (!header_name(c.id_header)) return bad("bad name of the id header");
  if (!c.server_header.empty() && !header_name(c.server_header)) return bad("bad server header");
  for (const std::string* path : {&c.post_path, &c.ws_path})
    if (!path->empty() && (!visible(*path) || (*path)[0] != '/' || path->size() > 2048))
      return bad("a path must start with '/' and hold visible ASCII only");
  if (!c.tls_name.empty() && !visible(c.tls_name)) return bad("bad TLS name");
  if (!c.host_header.empty() && !visible(c.host_header)) return bad("bad host header");
  if (c.post_body_bytes > kMaxPostBytes) return bad("body of a POST above 16 KiB");
  if (c.timeout_ms < 1 || c.timeout_ms > kMaxTimeoutMs) return bad("timeout must be in 1ms..2m");
  if (c.kept_connections < 1 || c.kept_connections > kMaxKept)
    return bad("kept connections must be in 1..1024");
  if (c.max_in_flight < 1) return bad("max_in_flight must be at least 1");
  return {};
}

Result<tcp::endpoint> resolve(const ProberConfig& config) {
  boost::system::error_code error;
  const auto literal = asio::ip::make_address(config.address, error);
  if (!error) return tcp::endpoint(literal, config.port);
  asio::io_context io(1);
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(config.address, std::to_string(config.port), error);
  if (error || found.empty())
    return fail(ErrorCode::unavailable,
                "cannot resolve the load balancer's name: " + error.message(), config.address);
  return found.begin()->endpoint();
}

std::size_t open_files_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, 1u << 20));
}

}  // namespace

struct Prober::Impl {
  ProberConfig config;
  Tally tally;
  std::unique_ptr<ProbeLoop> loop;
  std::thread thread;
  std::promise<void> done;
  std::future<void> done_future = done.get_future();

  void start_thread() {
    // The thread inherits a mask that blocks everything: signals are the main thread's business.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::thread([this] {
      loop->run();
      done.set_value();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
};

Prober::Prober(ProberConfig config) : impl_(std::make_unique<Impl>()) {
  impl_->config = std::move(config);
}

Prober::~Prober() {
  stop(0);
}

Status Prober::start() {
  if (impl_->loop) return fail(ErrorCode::internal, "prober started twice");
  if (auto ok = check(impl_->config); !ok) return ok;
  const auto target = resolve(impl_->config);
  if (!target) return tl::unexpected(target.error());
  auto tls = make_ssl_context(impl_->config);
  if (!tls) return tl::unexpected(tls.error());

  const std::size_t files = open_files_limit();
  const std::size_t lingering = std::min(kMaxLingering, files / 8);
  const std::size_t others = kSpareFds + lingering + 2 * impl_->config.kept_connections;
  if (files < others + 16)
    return fail(ErrorCode::refused, fmt::format("only {} file descriptors allowed", files), {},
                fmt::format("raise the limit: ulimit -n {}", others + 1024));
  impl_->loop = std::make_unique<ProbeLoop>(impl_->config, *target,
                                            std::min(impl_->config.max_in_flight, files - others),
                                            lingering, std::move(*tls), &impl_->tally);
  impl_->tally.started(wall_now_ms());
  impl_->start_thread();
  return {};
}

void Prober::enter(Window window) {
  Mark mark;
  mark.window = window;
  impl_->tally.mark(std::move(mark));
}

void Prober::phase(const std::string& instance, core::PhaseName phase) {
  Mark mark;
  mark.instance = instance;
  mark.phase = phase;
  impl_->tally.mark(std::move(mark));
}

ProberSnapshot Prober::snapshot() const {
  return impl_->tally.snapshot();
}

void Prober::request_stop() {
  if (impl_->loop) impl_->loop->request_stop();
}

ProberSnapshot Prober::stop() {
  return stop(impl_->config.timeout_ms + 500);
}

ProberSnapshot Prober::stop(DurationMs grace_ms) {
  if (!impl_->thread.joinable()) return snapshot();
  impl_->loop->request_stop();
  if (impl_->done_future.wait_for(std::chrono::milliseconds(grace_ms)) != std::future_status::ready)
    impl_->loop->give_up();
  impl_->thread.join();
  impl_->tally.stopped(wall_now_ms());
  return snapshot();
}

}  // namespace hitless::witness
