// hitless_scale: what a rollout of many instances costs the controller itself, without hosts.
//
//   hitless_scale [--dir FOLDER] [--seconds LIMIT] [--megabytes LIMIT] [--share PERCENT] N...
//   hitless_scale --journal [--dir FOLDER]
//
// The real run loop, core and SQLite journal; the load balancer, hosts, services and health checks
// are in memory and answer at once, or after 2 ms where a real one would work. Each run is a
// process of its own, so that its peak memory is its own, with a limit on time and memory, so that
// a cost that grows too fast ends the run and not the machine. One JSON line for each run.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/sqlite_journal.hpp"
#include "engine/run_loop.hpp"
#include "runtime/task.hpp"

namespace hitless {
namespace {

constexpr DurationMs kWorkMs = 2;  // what a drain, a restart or a rejoin takes here
constexpr int kJournalEntries = 20'000;
constexpr int kTooSlow = 3, kTooLarge = 4;  // exit codes of a run

struct Settings {
  std::string dir = "/tmp";
  unsigned seconds = 300;
  std::size_t megabytes = 4'000;
  std::int64_t share = 10;  // percent of the instances that may be out at once
};

Error not_simulated() {
  return {ErrorCode::internal, "not simulated", {}, {}};
}

// One pool on one node. Requests arrive all the time, so that live traffic is seen after a rejoin.
class SimTraffic : public ports::Traffic {
 public:
  explicit SimTraffic(int n) : out_(static_cast<std::size_t>(n)) {
    for (int i = 0; i < n; ++i) {
      ids_.push_back({fmt::format("app@host{:05}", i)});
      index_[ids_.back()] = static_cast<std::size_t>(i);
    }
  }
  [[nodiscard]] std::string describe() const override { return "be_app @ lb-1"; }
  Task<Result<ports::TrafficCapabilities>> capabilities() override {
    co_return ports::TrafficCapabilities{};
  }
  Task<std::vector<core::TargetReport>> read() override {
    ++reads;
    std::vector<core::TargetReport> reports;
    reports.reserve(ids_.size());
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      core::TargetReport report;
      report.instance = ids_[i];
      report.lb = "edge";
      report.node = "lb-1";
      report.pool = "be_app";
      report.admin = out_[i] ? core::AdminState::drain : core::AdminState::ready;
      report.check = core::LbCheck::pass;
      report.in_flight = report.idle = report.errors = 0;
      report.requests = reads;
      report.epoch = "1";
      reports.push_back(std::move(report));
    }
    co_return reports;
  }
  Task<Status> drain(core::InstanceId target) override { co_return co_await set(target, true); }
  Task<Status> rejoin(core::InstanceId target) override { co_return co_await set(target, false); }
  Task<Status> close_remaining(core::InstanceId) override { co_return Status{}; }
  Task<std::vector<ports::PoolCounters>> counters() override {
    co_return std::vector<ports::PoolCounters>{};
  }
  [[nodiscard]] const std::vector<core::InstanceId>& ids() const { return ids_; }

  std::int64_t reads = 0;

 private:
  Task<Status> set(core::InstanceId target, bool out) {
    co_await sleep_for(kWorkMs);
    out_[index_.at(target)] = out;
    co_return Status{};
  }
  std::vector<core::InstanceId> ids_;
  std::map<core::InstanceId, std::size_t> index_;
  std::vector<bool> out_;
};

class SimHost : public ports::Host {
 public:
  [[nodiscard]] std::string name() const override { return "host"; }
  [[nodiscard]] std::string address() const override { return "192.0.2.1"; }
  [[nodiscard]] bool sudo() const override { return false; }
  Task<Result<ports::ExecResult>> exec(std::vector<std::string>, std::string, DurationMs,
                                       bool) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<Result<ports::ExecResult>> script(std::string, std::vector<std::string>, DurationMs,
                                         bool) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<Result<ports::ExecResult>> run_operation(ports::Operation) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<Result<ports::ExecResult>> await_operation(std::string, DurationMs, bool) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<Result<std::string>> read_file(std::string, std::int64_t) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<Status> put_atomic(std::string, std::string, std::string, std::string) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<Result<ports::FileStat>> stat(std::string) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<Result<std::string>> boot_id() override { co_return std::string("boot"); }
  Task<Result<std::int64_t>> connections_on(int) override { co_return 0; }
  Task<Result<std::string>> forward_unix(std::string path) override { co_return path; }
};

class SimService : public ports::Service {
 public:
  [[nodiscard]] std::string describe() const override { return "app (app.service)"; }
  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    co_return ports::ServiceCapabilities{};
  }
  Task<Result<core::ServiceIdentity>> identity() override { co_return now_; }
  Task<std::vector<core::Check>> validate() override {
    co_return std::vector<core::Check>{{"Unit", core::CheckStatus::pass, "app.service runs", {}}};
  }
  Task<core::Check> test_config(ports::Files) override {
    co_return core::Check{"Configuration", core::CheckStatus::pass, {}, {}};
  }
  Task<Result<ports::Files>> config_files() override { co_return ports::Files{}; }
  Task<Result<core::Outcome>> act(ports::ActOrder) override {
    co_await sleep_for(kWorkMs);
    ++now_.main_pid;
    core::Outcome outcome;
    outcome.status = core::OutcomeStatus::ok;
    co_return outcome;
  }
  Task<Result<core::Outcome>> await_act(std::string, DurationMs) override {
    co_return tl::unexpected<Error>(not_simulated());
  }
  Task<core::ServiceReading> verify(core::Action, core::ServiceIdentity before) override {
    core::ServiceReading reading;
    reading.now = now_;
    const bool is_new = before.main_pid != now_.main_pid;
    reading.verdict = is_new ? core::ServiceVerdict::proven : core::ServiceVerdict::not_applied;
    reading.evidence = fmt::format("PID {} -> {}", before.main_pid, now_.main_pid);
    co_return reading;
  }

 private:
  core::ServiceIdentity now_ = [] {
    core::ServiceIdentity identity;
    identity.active = true;
    identity.state = "active/running";
    identity.main_pid = 1000;
    identity.start_time = "1";
    identity.invocation_id = "0123456789abcdef0123456789abcdef";
    return identity;
  }();
};

class SimHealth : public ports::Health {
 public:
  [[nodiscard]] std::string describe() const override { return "GET /healthz"; }
  Task<core::HealthReading> probe() override {
    core::HealthReading reading;
    reading.status = core::HealthStatus::pass;
    reading.latency_us = 500;
    reading.evidence = "GET /healthz -> HTTP 200";
    co_return reading;
  }
};

// A journal that gives each entry its number and forgets it: what is left is the cost of the rest.
class MemoryJournal : public ports::Journal {
 public:
  Task<Result<std::vector<core::Entry>>> append(std::string rollout, std::int64_t at_ms,
                                                std::vector<core::Event> events) override {
    std::vector<core::Entry> entries;
    entries.reserve(events.size());
    for (core::Event& event : events) entries.push_back({++seq_, rollout, at_ms, std::move(event)});
    co_return entries;
  }
  Result<std::vector<core::Entry>> read(std::string, std::int64_t) override {
    return tl::unexpected<Error>(not_simulated());
  }
  Result<std::vector<ports::RolloutRow>> rollouts(int) override {
    return std::vector<ports::RolloutRow>{};
  }
  Result<ports::ChainReport> verify() override { return ports::ChainReport{}; }
  Status put_fact(std::string, std::string) override { return {}; }
  Result<std::string> get_fact(std::string) override { return std::string(); }
  Result<std::string> next_incident_id() override { return std::string("INC-1"); }

 private:
  std::int64_t seq_ = 0;
};

struct TempDir {
  explicit TempDir(const std::string& base) : path(base + "/hitless-scale-XXXXXX") {
    if (::mkdtemp(path.data()) == nullptr) path.clear();
  }
  ~TempDir() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
  TempDir(const TempDir&) = delete;
  std::string path;
};

// A fleet of n simulated hosts; `share` percent of them may be out at once.
struct World {
  World(int n, std::int64_t share) : traffic(n), services(static_cast<std::size_t>(n)) {
    parts.name = "app";
    parts.pools = {&traffic};
    core::Policy& policy = parts.policy;
    policy.capacity.at_once = std::max<std::int64_t>(1, n * share / 100);
    policy.capacity.floor = n - policy.capacity.at_once;
    policy.drain.quiet_ms = policy.verify.stability_ms = policy.rejoin.soak_ms = 0;
    policy.verify.compare_latency = false;
    policy.verify.rise = 1;
    for (std::size_t i = 0; i < traffic.ids().size(); ++i) {
      engine::InstanceParts instance;
      instance.id = traffic.ids()[i];
      instance.host_name = instance.id.value.substr(4);
      instance.host = &host;
      instance.service = &services[i];
      instance.health = &health;
      instance.port = 8080;
      plan.instances.push_back({instance.id, instance.host_name, {}, false, {}});
      parts.instances.push_back(std::move(instance));
    }
    plan.rollout = "R-5ca1e";
    plan.service = parts.name;
    plan.policy = policy;
    plan.created_at = wall_now_ms();
    plan.hash = journal::hash_plan(plan);
  }
  SimTraffic traffic;
  std::vector<SimService> services;
  SimHost host;
  SimHealth health;
  engine::ServiceParts parts;
  core::Plan plan;
};

double seconds_since(TimeMs start) {
  return static_cast<double>(steady_now_ms() - start) / 1000.0;
}

double cpu_seconds(const rusage& usage) {
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void print_run(int n, const char* kind, const World& world, std::int64_t entries, double seconds,
               const std::string& result) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      R"({{"instances":{},"journal":"{}","at_once":{},"result":{},"entries":{},"reads":{},)"
      R"("seconds":{:.2f},"cpu_seconds":{:.2f},"entries_per_s":{:.0f},"us_per_entry":{:.0f},)"
      R"("peak_mb":{:.0f}}})"
      "\n",
      n, kind, world.plan.policy.capacity.at_once, journal::quote_json(result), entries,
      world.traffic.reads, seconds, cpu_seconds(usage), static_cast<double>(entries) / seconds,
      seconds * 1e6 / static_cast<double>(std::max<std::int64_t>(entries, 1)),
      static_cast<double>(usage.ru_maxrss) / 1024.0);
  std::fflush(stdout);
}

std::string result_of(const Result<core::State>& end) {
  if (!end) return "error: " + describe(end.error());
  if (end->ended == core::RolloutResult::succeeded) return "succeeded";
  return "not succeeded: " + end->halt_reason;
}

int run_rollout_of(int n, bool durable, const Settings& settings) {
  World world(n, settings.share);
  TempDir dir(settings.dir);
  std::unique_ptr<ports::Journal> journal = std::make_unique<MemoryJournal>();
  if (durable) {
    auto opened = journal::open_journal(dir.path + "/state", journal::Mode::read_write);
    if (!opened) {
      fmt::print(stderr, "{}\n", describe(opened.error()));
      return 1;
    }
    journal = std::move(*opened);
  }
  std::int64_t entries = 0;
  engine::RunContext context;
  context.parts = &world.parts;
  context.journal = journal.get();
  context.plan = world.plan;
  context.actor = "bench";
  context.on_entry = [&](const core::Entry&, const core::State&) { ++entries; };
  const TimeMs start = steady_now_ms();
  Result<core::State> end;
  run_until_done([&]() -> Task<void> { end = co_await engine::run_rollout(std::move(context)); });
  const double seconds = seconds_since(start);
  const std::string result = result_of(end);
  print_run(n, durable ? "sqlite" : "memory", world, entries, seconds, result);
  return result == "succeeded" ? 0 : 2;
}

// How many entries a second become durable, as single ones and as groups.
int run_journal(const Settings& settings) {
  for (const int group : {1, 4, 16, 64, 256}) {
    TempDir dir(settings.dir);
    auto journal = journal::open_journal(dir.path + "/state", journal::Mode::read_write);
    if (!journal) return 1;
    const int total = group == 1 ? kJournalEntries / 10 : kJournalEntries;
    core::TrafficSeen seen;
    seen.readings.emplace_back(core::InstanceId{"app@host00001"}, core::TargetReading{});
    const TimeMs start = steady_now_ms();
    int done = 0;
    bool ok = true;
    run_until_done([&]() -> Task<void> {
      for (; done < total && ok; done += group) {
        std::vector<core::Event> events(static_cast<std::size_t>(group), core::Event(seen));
        ok = (co_await (*journal)->append("R-1", done, std::move(events))).has_value();
      }
    });
    if (!ok) return 1;
    const double seconds = seconds_since(start);
    fmt::print(R"({{"group":{},"entries":{},"seconds":{:.2f},"durable_entries_per_s":{:.0f}}})"
               "\n",
               group, done, seconds, done / seconds);
    std::fflush(stdout);
  }
  return 0;
}

// In a process of its own, under the limits.
int run_apart(int n, const char* kind, const Settings& settings, const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const rlim_t bytes = settings.megabytes << 20;
    const rlimit memory{bytes, bytes};
    ::setrlimit(RLIMIT_AS, &memory);
    ::alarm(settings.seconds);
    std::set_new_handler([] { ::_exit(kTooLarge); });
    const int code = body();
    std::fflush(stdout);
    ::_exit(code);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid) return 1;
  const bool slow = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  const int code = slow ? kTooSlow : WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  if (code == kTooSlow || code == kTooLarge) {
    const std::string why = code == kTooSlow ? fmt::format("more than {} s", settings.seconds)
                                             : fmt::format("more than {} MB", settings.megabytes);
    fmt::print("{{\"instances\":{},\"journal\":\"{}\",\"result\":\"{}\"}}\n", n, kind, why);
    std::fflush(stdout);
  }
  return code;
}

int usage() {
  fmt::print(stderr,
             "hitless_scale [--dir FOLDER] [--seconds LIMIT] [--megabytes LIMIT] [--share PERCENT] "
             "[--memory-only] N...\nhitless_scale --journal [--dir FOLDER]\n");
  return 64;
}

int run(int argc, char** argv) {
  Settings settings;
  std::vector<int> sizes;
  bool journal_only = false, memory_only = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (word == "--journal") {
      journal_only = true;
    } else if (word == "--memory-only") {
      memory_only = true;
    } else if (word == "--dir") {
      settings.dir = value, ++i;
    } else if (word == "--seconds") {
      settings.seconds = static_cast<unsigned>(std::atoi(value)), ++i;
    } else if (word == "--megabytes") {
      settings.megabytes = static_cast<std::size_t>(std::atoi(value)), ++i;
    } else if (word == "--share") {
      settings.share = std::atoi(value), ++i;
    } else if (const int n = std::atoi(word.c_str()); n > 0) {
      sizes.push_back(n);
    } else {
      return usage();
    }
  }
  if (journal_only) return run_journal(settings);
  if (sizes.empty()) return usage();
  int worst = 0;
  for (const int n : sizes) {
    for (const bool durable : {false, true}) {
      if (durable && memory_only) continue;
      const char* kind = durable ? "sqlite" : "memory";
      const int code =
          run_apart(n, kind, settings, [&] { return run_rollout_of(n, durable, settings); });
      worst = std::max(worst, code);
    }
  }
  return worst;
}

}  // namespace
}  // namespace hitless

int main(int argc, char** argv) {
  return hitless::run(argc, argv);
}
