#include "cli/counter_loops.hpp"

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
  bool last = false;
  int running = 0;
  Signal ended;
};

struct CounterLoops::Loop {
  ports::Traffic* pool = nullptr;  // one of these two
  ports::Host* host = nullptr;
  bool asked = false;
  Signal wake;
};

CounterLoops::CounterLoops(witness::Session* session, std::vector<ports::Traffic*> pools,
                           std::vector<ports::Host*> hosts)
    : shared_(std::make_shared<Shared>()) {
  shared_->session = session;
  const auto add = [this](ports::Traffic* pool, ports::Host* host) {
    auto loop = std::make_shared<Loop>();
    loop->pool = pool;
    loop->host = host;
    loops_.push_back(std::move(loop));
  };
  for (ports::Traffic* pool : pools) add(pool, nullptr);
  for (ports::Host* host : hosts) {
    add(nullptr, host);
    session->expect({witness::SourceKind::host, host->name(), false, true});
  }
}

Task<void> CounterLoops::read_pool(std::shared_ptr<Shared> shared, std::shared_ptr<Loop> loop) {
  const TimeMs asked = wall_now_ms();
  const auto all = co_await loop->pool->counters();
  const TimeMs done = wall_now_ms();
  for (const ports::PoolCounters& node : all) {
    witness::CounterSource source;
    source.name = pool_name(loop->pool->describe()) + " @ " + node.node;
    source.sees_all_probes = true;
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
    if (!last && !shared->last) co_await loop->wake.wait_for(kIntervalMs);
  }
  --shared->running;
  shared->ended.notify();
}

Task<void> CounterLoops::start() {
  shared_->running = static_cast<int>(loops_.size());
  for (const auto& loop : loops_) co_await detach(run(shared_, loop));
}

bool CounterLoops::all_asked() const {
  for (const auto& loop : loops_)
    if (!loop->asked) return false;
  return true;
}

Task<void> CounterLoops::finish() {
  shared_->last = true;
  for (const auto& loop : loops_) loop->wake.notify();
  while (shared_->running > 0) co_await shared_->ended.wait_for(kHostDeadlineMs);
}

}  // namespace hitless::cli
