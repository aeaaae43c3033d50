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
  return with<std::vector<core::TargetReport>>([](auto* d) { return d->read(); });
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

std::vector<std::string> World::send(int n) const {
  std::vector<std::string> who;
  for (int i = 0; i < n; ++i) {
    const Answer answer = get(front(), "/");
    who.push_back(answer.status == 200 ? answer.body : "");
  }
  return who;
}

bool World::reaches(const std::string& instance, int tries) const {
  const auto who = send(tries);
  return std::ranges::find(who, instance) != who.end();
}

Request World::hold_at(const std::string& instance) {
  constexpr int kTries = 20;  // it balances in turn
  Backend& wanted = backend(instance);
  Backend& other = backend(instance == "a" ? "b" : "a");
  for (int i = 0; i < kTries; ++i) {
    Request request(front(), "/hold");
    if (!eventually([&] { return wanted.held() > 0 || other.held() > 0; })) break;
    if (wanted.held() > 0) return request;
    other.release();
    (void)request.answer();
  }
  throw std::runtime_error("no request reached " + instance);
}

std::vector<WorldMaker> all_worlds() {
  return {{"haproxy", haproxy_world},
          {"nginx", nginx_world},
          {"caddy", caddy_world},
          {"touch_file", touch_file_world},
          {"command", command_world}};
}

}  // namespace hitless::conformance
