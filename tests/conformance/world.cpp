#include "world.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "runtime/timeout.hpp"

namespace hitless::conformance {

bool eventually(const std::function<bool()>& is_so, int within_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(within_ms);
  for (;;) {
    if (is_so()) return true;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

template <class T>
T World::with(std::function<Task<T>(ports::Traffic*)> ask) {
  std::optional<T> result;
  run_until_done([&]() -> Task<void> {
    auto host = host::make_local_host("lb-1", "127.0.0.1");
    auto driver = make(host.get());
    result.emplace(co_await ask(driver.get()));
    driver.reset();
    host.reset();
  });
  return std::move(*result);
}

Result<ports::TrafficCapabilities> World::capabilities() {
  return with<Result<ports::TrafficCapabilities>>([](auto* d) { return d->capabilities(); });
}
std::vector<core::TargetReport> World::read() {
  auto reports = with<std::vector<core::TargetReport>>([](auto* d) { return d->read(); });
  for (core::TargetReport& report : reports) {
    if (!report.uncounted || report.admin == core::AdminState::unknown) continue;
    run_until_done([&]() -> Task<void> {
      const auto host = host::make_local_host("web", "127.0.0.1");
      const auto count =
          co_await host->connections_on(backend(report.instance.value.substr(4)).port());
      if (count) report.in_flight = *count;
    });
  }
  return reports;
}
core::TargetReport World::read(const std::string& instance) {
  for (core::TargetReport& report : read())
    if (report.instance.value == "web@" + instance) return std::move(report);
  core::TargetReport none;
  none.note = "no report on it";
  return none;
}
std::vector<ports::PoolCounters> World::counters() {
  return with<std::vector<ports::PoolCounters>>([](auto* d) { return d->counters(); });
}

bool World::has_counters() {
  return with<bool>([](auto* d) -> Task<bool> {
    (void)co_await d->capabilities();
    co_return d->has_counters();
  });
}

namespace {
Task<Status> cut(Task<Status> task, int after_ms) {
  if (after_ms <= 0) co_return co_await std::move(task);
  co_return co_await with_timeout(std::move(task), after_ms, "our life");
}
}  // namespace

Status World::drain(const std::string& instance, int cut_after_ms) {
  return with<Status>(
      [=](auto* d) { return cut(d->drain(core::InstanceId{"web@" + instance}), cut_after_ms); });
}
Status World::rejoin(const std::string& instance, int cut_after_ms) {
  return with<Status>(
      [=](auto* d) { return cut(d->rejoin(core::InstanceId{"web@" + instance}), cut_after_ms); });
}

namespace {

class HeldRequest final : public Held {
 public:
  HeldRequest(Request request, std::string instance)
      : request_(std::move(request)), instance_(std::move(instance)) {}
  bool ended_well() override {
    const Answer answer = request_.answer();
    return answer.status == 200 && answer.body == instance_;
  }

 private:
  Request request_;
  std::string instance_;
};

}  // namespace

void World::send(int n) {
  for (int i = 0; i < n; ++i) (void)get(front(), "/");
}

bool World::reaches(const std::string& instance, int tries) {
  for (int i = 0; i < tries; ++i)
    if (const Answer answer = get(front(), "/"); answer.status == 200 && answer.body == instance)
      return true;
  return false;
}

std::unique_ptr<Held> World::hold_at(const std::string& instance) {
  constexpr int kTries = 20;  // it balances in turn
  Backend& wanted = backend(instance);
  Backend& other = backend(instance == "a" ? "b" : "a");
  for (int i = 0; i < kTries; ++i) {
    Request request(front(), "/hold");
    if (!eventually([&] { return wanted.held() > 0 || other.held() > 0; })) break;
    if (wanted.held() > 0) return std::make_unique<HeldRequest>(std::move(request), instance);
    other.release();
    (void)request.answer();
  }
  throw std::runtime_error("no request reached " + instance);
}

std::vector<WorldMaker> all_worlds() {
  return {{"haproxy", haproxy_world},       {"nginx", nginx_world},
          {"caddy", caddy_world},           {"elbv2", elbv2_world},
          {"pgbouncer", pgbouncer_world},   {"envoy", envoy_world},
          {"nginx_plus", nginx_plus_world}, {"traefik", traefik_world},
          {"consul", consul_world},         {"ipvs", ipvs_world},
          {"touch_file", touch_file_world}, {"command", command_world}};
}

}  // namespace hitless::conformance
