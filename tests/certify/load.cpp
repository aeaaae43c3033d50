#include "certify/load.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "certify/backend.hpp"
#include "witness/prober.hpp"

namespace hitless::certify {

namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024.0;
  return 0;
}

void serve(const std::vector<std::uint16_t>& ports) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Backends backends(ports);
  for (;;) ::pause();
}

}  // namespace

int measure_load(double rate, int seconds) {
  const std::vector<std::uint16_t> ports = {free_port()};
  const pid_t server = ::fork();
  if (server == 0) serve(ports);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));

  witness::ProberConfig config;
  config.address = "127.0.0.1";
  config.port = ports[0];
  config.rate_per_s = rate;
  config.paths = {{"/", 3}, {"/api", 1}};
  witness::Prober prober(config);
  const double before = cpu_seconds();
  const auto started = prober.start();
  if (!started) fmt::print("not started: {}\n", started.error().what);
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  const witness::ProberSnapshot seen = prober.stop();
  const double used = cpu_seconds() - before;
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  fmt::print("asked {:.0f}/s for {} s: sent {}, ok {}, lost {}, not sent {}\n", rate, seconds,
             seen.sent, seen.ok, seen.lost, seen.not_sent);
  fmt::print("latest sent {:.1f} ms after it was due, p50 {} us, p95 {} us\n",
             static_cast<double>(seen.max_lag_us) / 1000.0, seen.p50_us.value_or(0),
             seen.p95_us.value_or(0));
  fmt::print("prober: {:.0f}% of one core, {:.1f} MiB at its peak, {:.0f} requests/s\n",
             100.0 * used / seconds, peak_mib(),
             static_cast<double>(seen.ok) / static_cast<double>(seconds));
  return seen.ok > 0 ? 0 : 1;
}

}  // namespace hitless::certify
