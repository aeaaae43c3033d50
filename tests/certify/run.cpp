// One case: a real HAProxy, three backends, a real prober, real counters, a scripted timeline.
#include <fmt/format.h>

#include <cstdlib>

#include "adapters/traffic/haproxy.hpp"
#include "adapters/traffic/haproxy_for_tests.hpp"
#include "certify/cases.hpp"
#include "witness/pool_sample.hpp"

namespace hitless::certify {

using core::PhaseName;
using namespace witness;

namespace {

const std::string kInstance = "web@web01";
constexpr auto kBaseline = std::chrono::milliseconds(700);
constexpr auto kPhase = std::chrono::milliseconds(300);
constexpr auto kSampleEvery = std::chrono::milliseconds(100);
constexpr std::int64_t kStarvedUs = 100'000;
constexpr DurationMs kHungTimeoutMs = 400;    // when that is what the case is about
constexpr DurationMs kProbeTimeoutMs = 2000;  // longer than a busy machine stands still

void sleep(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time);
}

std::string config_of(const Case& c, std::uint16_t front, const std::vector<std::uint16_t>& servers,
                      const std::string& pem) {
  std::string text = fmt::format(
      "frontend fe\n  bind 127.0.0.1:{}{}\n  mode {}\n  default_backend be\n", front,
      c.front == Front::https ? " ssl crt " + pem : "", c.front == Front::tcp ? "tcp" : "http");
  text += fmt::format("backend be\n  mode {}\n", c.front == Front::tcp ? "tcp" : "http");
  if (c.front != Front::tcp) text += "  option http-server-close\n";
  if (c.trick == Trick::retried) text += "  retries 3\n  option redispatch 1\n";
  if (c.retry_all) text += "  retries 3\n  retry-on all-retryable-errors\n  option redispatch 1\n";
  for (std::size_t i = 0; i < servers.size(); ++i)
    text += fmt::format("  server web{:02} 127.0.0.1:{}\n", i + 1, servers[i]);
  return text;
}

// A key and a certificate for 127.0.0.1 in one file, signed by itself.
std::string make_pem(const std::string& folder) {
  const std::string pem = folder + "/pem";
  const std::string command = fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
      "/CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {0}.key -out {0}.crt "
      ">/dev/null 2>&1 && cat {0}.crt {0}.key > {0}",
      pem);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl made no certificate");
  return pem;
}

class Run {
 public:
  explicit Run(const Case& c)
      : case_(c),
        ports_{free_port(), free_port(), free_port()},
        front_(free_port()),
        pem_(c.front == Front::https ? make_pem(folder_.path()) : ""),
        haproxy_(config_of(c, front_, ports_, pem_)),
        backends_(ports_) {
    HaproxyPool pool;
    pool.lb = "lb-1";
    pool.backend = "be";
    pool.nodes = {{"n1", haproxy_.admin(), haproxy_.master(), {}, {}}};
    for (std::size_t i = 0; i < ports_.size(); ++i)
      pool.servers.emplace_back(core::InstanceId{fmt::format("web@web{:02}", i + 1)},
                                fmt::format("web{:02}", i + 1));
    driver_ = make_haproxy(std::move(pool));
    series_.name = "be @ lb-1/n1";
    series_.sees_all_probes = c.front != Front::tcp;
    host_.kind = SourceKind::host;
    host_.name = "web01";
  }

  CaseResult run() {
    start_noise();
    Prober prober(prober_config());
    if (auto ok = prober.start(); !ok) return {{}, 0, true, describe(ok.error())};
    std::thread sampler([this] { sample_until_done(); });
    if (case_.noise_before > 0) backends_.at(1).lose(Fault::error_500, case_.noise_before);
    sleep(kBaseline);
    play(&prober);
    if (case_.trick != Trick::counters_stop) sample();
    done_ = true;
    sampler.join();
    const ProberSnapshot seen = prober.stop();
    return judge(seen);
  }

 private:
  void start_noise() {
    backends_.at(0).execute_before_loss(case_.retry_all);
    backends_.at(0).fail_every(case_.noise_every_01);
    backends_.at(1).fail_every(case_.noise_every_02);
  }

  [[nodiscard]] ProberConfig prober_config() const {
    ProberConfig config;
    config.address = "127.0.0.1";
    config.port = case_.trick == Trick::bypass ? ports_[1] : front_;
    config.rate_per_s = case_.rate;
    config.paths = {{case_.path, 1}};
    config.weights = case_.weights;
    config.timeout_ms = case_.fault == Fault::hang ? kHungTimeoutMs : kProbeTimeoutMs;
    config.max_in_flight = case_.max_in_flight;
    config.tls = case_.front == Front::https;
    if (config.tls && case_.trick != Trick::untrusted) config.ca_file = pem_ + ".crt";
    if (case_.trick == Trick::other_name) config.tls_name = "shop.example";
    return config;
  }

  void play(Prober* prober) {
    if (case_.trick == Trick::counters_frozen) frozen_ = true;
    sample();
    prober->enter(Window::rollout);
    rollout_ = true;
    for (const PhaseName phase : {PhaseName::draining, PhaseName::acting, PhaseName::verifying,
                                  PhaseName::rejoining, PhaseName::soaking}) {
      prober->phase(kInstance, phase);
      const auto end = std::chrono::steady_clock::now() + kPhase;
      sleep(std::chrono::milliseconds(5));  // what was sent before is through
      act(phase);
      std::this_thread::sleep_until(end);
    }
    prober->phase(kInstance, PhaseName::done);
    prober->enter(Window::soak);
    sleep(std::chrono::milliseconds(100));
    prober->enter(Window::after);
  }

  void act(PhaseName phase) {
    if (case_.trick == Trick::real_drain) restart_for_real(phase);
    if (phase != case_.phase) return;
    if (case_.trick == Trick::refuse) refuse([this] { return connect_errors(); });
    if (case_.trick == Trick::front_closed) {
      haproxy_.ask("disable frontend fe");
      sleep(std::chrono::milliseconds(60));
      haproxy_.ask("enable frontend fe");
    }
    if (case_.trick == Trick::retried) refuse([this] { return retries(); });
    if (case_.trick == Trick::counters_reset) haproxy_.reload();
    if (case_.trick == Trick::other_client) ask_for_trouble();
    if (case_.fault != Fault::none && case_.k > 0) backends_.at(0).lose(case_.fault, case_.k);
  }

  void restart_for_real(PhaseName phase) {
    const core::InstanceId id{kInstance};
    if (phase == PhaseName::draining) traffic::await<Status>([&] { return driver_->drain(id); });
    if (phase == PhaseName::acting) backends_.at(0).listen(false);
    if (phase == PhaseName::verifying) backends_.at(0).listen(true);
    if (phase == PhaseName::rejoining) traffic::await<Status>([&] { return driver_->rejoin(id); });
  }

  // Closes web01's port until the load balancer has counted k.
  void refuse(const std::function<std::int64_t()>& count) {
    const std::int64_t before = count();
    backends_.at(0).listen(false);
    for (int i = 0; i < 1000 && count() < before + case_.k; ++i)
      sleep(std::chrono::milliseconds(1));
    backends_.at(0).listen(true);
  }

  void ask_for_trouble() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(front_);
    const std::string request = "GET /boom HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      char answer[512];
      while (::recv(fd, answer, sizeof answer, 0) > 0) {
      }
    }
    ::close(fd);
  }

  ports::PoolCounters counters() {
    const std::lock_guard lock(mutex_);
    return traffic::await<std::vector<ports::PoolCounters>>([&] { return driver_->counters(); })
        .at(0);
  }
  std::int64_t connect_errors() { return counters().connect_errors.value_or(0); }
  std::int64_t retries() { return counters().retries.value_or(0); }

  void sample() {
    const TimeMs asked = wall_now_ms();
    const ports::PoolCounters read = counters();
    CounterSample now = sample_of(read, asked, wall_now_ms());
    const std::lock_guard lock(samples_mutex_);
    if (first_errors_ < 0) first_errors_ = now.values["connect_errors"];
    last_errors_ = now.values["connect_errors"];
    if (case_.trick == Trick::counters_missing) {
      now = {};
      now.at_ms = asked;
      now.problem = "permission denied";
    } else if (frozen_ && !series_.samples.empty()) {
      now = series_.samples.back();
      now.at_ms = now.done_ms = asked;
    }
    add_sample(&series_, std::move(now));
    CounterSample host;
    host.at_ms = asked;
    host.epoch = case_.trick == Trick::host_reboot && rollout_ ? "boot-2" : "boot-1";
    host.values = {{"ListenOverflows", case_.trick == Trick::host_overflow && rollout_ ? 3 : 0},
                   {"OutRsts", 7}};
    add_sample(&host_, std::move(host));
  }

  void sample_until_done() {
    while (!done_) {
      if (case_.trick != Trick::counters_stop || !rollout_) sample();
      sleep(kSampleEvery);
    }
  }

  CaseResult judge(const ProberSnapshot& seen) {
    CaseResult result;
    CertificateInput input;
    input.probers = {{"prober", case_.rate, seen}};
    input.counters = {series_, host_};
    input.instances = {"web@web01", "web@web02", "web@web03"};
    Executions executions;
    for (std::size_t i = 0; i < backends_.size(); ++i)
      if (auto ok = add_executions(&executions, backends_.at(i).name(),
                                   backends_.at(i).executions_json(), seen.id_prefix);
          !ok)
        executions.problems.push_back(describe(ok.error()));
    input.executions = std::move(executions);
    result.certificate = witness::certify(input);
    result.starved = seen.max_lag_us > kStarvedUs;
    result.truth = backends_.at(0).lost();
    if (case_.trick == Trick::refuse) result.truth = static_cast<int>(last_errors_ - first_errors_);
    if (case_.trick == Trick::front_closed) result.truth = static_cast<int>(seen.lost);
    if (case_.retry_all) result.truth = 0;  // nobody noticed
    for (const CertifiedLoss& lost : result.certificate.losses) {
      if (lost.blame != Blame::ours) continue;
      const std::vector<Where> where = {{kInstance, case_.phase}};
      if (lost.loss.kind != case_.kind || lost.where != where) result.attributed = false;
    }
    return result;
  }

  const Case& case_;
  traffic::TempDir folder_;
  std::vector<std::uint16_t> ports_;
  std::uint16_t front_;
  std::string pem_;
  traffic::HaproxyProcess haproxy_;  // before the backends: it must not inherit their sockets
  Backends backends_;
  std::unique_ptr<ports::Traffic> driver_;
  std::mutex mutex_, samples_mutex_;
  CounterSeries series_, host_;
  std::int64_t first_errors_ = -1, last_errors_ = 0;
  std::atomic<bool> done_{false}, rollout_{false}, frozen_{false};
};

}  // namespace

CaseResult run_case(const Case& c) {
  try {
    return Run(c).run();
  } catch (const std::exception& error) {
    return {{}, 0, true, error.what()};
  }
}

}  // namespace hitless::certify
