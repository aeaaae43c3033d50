#include "cli/counter_loops.hpp"

#include <algorithm>

#include "witness/pool_sample.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kIntervalMs = 1'000;
constexpr DurationMs kHostDeadlineMs = 5'000;

// "be_web" of "be_web @ lb-1, lb-2"
std::string pool_name(const std::string& description) {
  return description.substr(0, description.find(" @ "));
}

}  // namespace

struct CounterLoops::Shared {
  witness::Session* session = nullptr;
  bool all_pools_count = true;  // else their sum is less than what the prober sent
  bool last = false;
  TimeMs wait_for_ms = 0;       // counters that lag are awaited until they reach this time …
  TimeMs patience_ends_ms = 0;  // … or this has come
  int running = 0;
  Signal ended;
};

struct CounterLoops::Loop {
  ports::Traffic* pool = nullptr;  // one of these two
  ports::Host* host = nullptr;
  std::vector<std::string> instances;  // of the host
  bool asked = false;
  std::optional<TimeMs> reaches;  // until when its counters count, when they lag
  std::string problem;
  Signal wake;
};

CounterLoops::CounterLoops(witness::Session* session, std::vector<ports::Traffic*> pools,
                           std::vector<CountedHost> hosts)
    : shared_(std::make_shared<Shared>()) {
  shared_->session = session;
  const auto add = [this](Loop loop) { loops_.push_back(std::make_shared<Loop>(std::move(loop))); };
  for (ports::Traffic* pool : pools) {
    shared_->all_pools_count = shared_->all_pools_count && pool->has_counters();
    if (pool->has_counters()) {
      Loop loop;
      loop.pool = pool;
      add(std::move(loop));
      continue;
    }
    // Said rather than left out: without it nobody knows what this load balancer saw.
    witness::CounterSample none;
    none.at_ms = wall_now_ms();
    none.problem = "it has no counters that are read";
    session->add({witness::SourceKind::load_balancer, pool->describe(), false, true},
                 std::move(none));
  }
  for (CountedHost& counted : hosts) {
    session->expect(
        {witness::SourceKind::host, counted.host->name(), false, true, counted.instances});
    Loop loop;
    loop.host = counted.host;
    loop.instances = std::move(counted.instances);
    add(std::move(loop));
  }
}

Task<void> CounterLoops::read_pool(std::shared_ptr<Shared> shared, std::shared_ptr<Loop> loop) {
  const TimeMs asked = wall_now_ms();
  const auto all = co_await loop->pool->counters();
  const TimeMs done = wall_now_ms();
  for (const ports::PoolCounters& node : all) {
    // One that lags gives the same numbers many times.
    const bool is_news = !node.as_of || node.as_of != loop->reaches;
    if (node.as_of) loop->reaches = node.as_of;
    if (!is_news || (!node.problem.empty() && node.problem == loop->problem)) continue;
    loop->problem = node.problem;
    witness::CounterSource source;
    source.name = pool_name(loop->pool->describe()) + " @ " + node.node;
    source.sees_all_probes = shared->all_pools_count;
    shared->session->add(source, witness::sample_of(node, asked, done));
  }
}

Task<void> CounterLoops::read_host(std::shared_ptr<Shared> shared, std::shared_ptr<Loop> loop) {
  const TimeMs asked = wall_now_ms();
  const auto answer =
      co_await loop->host->script(witness::kHostCountersScript, {}, kHostDeadlineMs);
  witness::CounterSample sample;
  sample.at_ms = asked;
  if (!answer) {
    sample.problem = answer.error().what;
  } else if (auto parsed = witness::parse_host_counters(answer->out, asked); parsed) {
    sample = std::move(*parsed);
  } else {
    sample.problem = parsed.error().what;
  }
  sample.done_ms = wall_now_ms();
  shared->session->add({witness::SourceKind::host, loop->host->name(), false, true},
                       std::move(sample));
}

Task<void> CounterLoops::run(std::shared_ptr<Shared> shared, std::shared_ptr<Loop> loop) {
  for (bool last = false; !last;) {
    last = shared->last;
    co_await (loop->pool != nullptr ? read_pool(shared, loop) : read_host(shared, loop));
    loop->asked = true;
    const bool lags = loop->pool != nullptr && loop->pool->counter_lag_ms() > 0;
    if (last && lags && loop->reaches.value_or(0) < shared->wait_for_ms &&
        wall_now_ms() < shared->patience_ends_ms) {
      last = false;
      (void)co_await loop->wake.wait_for(kIntervalMs);
      continue;
    }
    if (!last && !shared->last) co_await loop->wake.wait_for(kIntervalMs);
  }
  --shared->running;
  shared->ended.notify();
}

Task<void> CounterLoops::start() {
  shared_->running = static_cast<int>(loops_.size());
  for (const auto& loop : loops_) co_await detach(run(shared_, loop));
}

void CounterLoops::look_at(const std::string& instance) {
  for (const auto& loop : loops_)
    if (std::ranges::find(loop->instances, instance) != loop->instances.end()) loop->wake.notify();
}

bool CounterLoops::all_asked() const {
  for (const auto& loop : loops_)
    if (!loop->asked) return false;
  return true;
}

DurationMs CounterLoops::lag_ms() const {
  DurationMs lag = 0;
  for (const auto& loop : loops_)
    if (loop->pool != nullptr) lag = std::max(lag, loop->pool->counter_lag_ms());
  return lag;
}

Task<void> CounterLoops::finish(bool wait_for_late) {
  shared_->last = true;
  shared_->wait_for_ms = wall_now_ms();
  shared_->patience_ends_ms = wait_for_late ? shared_->wait_for_ms + lag_ms() : 0;
  for (const auto& loop : loops_) loop->wake.notify();
  while (shared_->running > 0) co_await shared_->ended.wait_for(kHostDeadlineMs);
}

}  // namespace hitless::cli
