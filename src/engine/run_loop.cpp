#include "engine/run_loop.hpp"

#include "core/decide.hpp"
#include "core/invariants.hpp"
#include "core/names.hpp"
#include "engine/dispatch.hpp"
#include "engine/watchers.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kLongestSleepMs = 1'000;
constexpr int kMaxDecisionsInARow = 10'000;  // a decision that never comes to rest is a bug

Status keeps_rules(const std::vector<core::Violation>& violations) {
  if (violations.empty()) return {};
  return fail(ErrorCode::internal,
              "rule " + violations.front().rule + " would be broken: " + violations.front().what,
              {},
              "This is a bug in hitless; nothing more is done. Please report it with `hitless "
              "audit export`.");
}

class Rollout {
 public:
  explicit Rollout(RunContext context)
      : context_(std::move(context)),
        watchers_(context_.parts, [this](core::Event event) { arrive(std::move(event)); }) {}

  Task<Result<core::State>> run();

 private:
  // What happened outside, in order of arrival; taken in by the loop.
  void arrive(core::Event event) {
    inbox_.push_back(std::move(event));
    wake_.notify();
  }
  Task<Status> take_inbox();
  Task<Status> record(std::vector<core::Event> events);
  Task<Status> decide_and_act();
  Task<void> dispatch(core::Effect effect);
  Error stopped(const Error& cause) const;

  RunContext context_;
  core::State state_;
  std::vector<core::Event> inbox_;
  Signal wake_;
  Watchers watchers_;
  int dispatched_ = 0;
  std::optional<TimeMs> wake_at_;
};

// The loop. Everything else in this file serves it.
Task<Result<core::State>> Rollout::run() {
  if (context_.wishes != nullptr) context_.wishes->on_push([this] { wake_.notify(); });
  Status status = co_await record({core::RolloutStarted{context_.plan, context_.actor, 1}});
  while (status && !state_.ended) {
    status = co_await decide_and_act();
    if (!status || state_.ended) break;
    const TimeMs now = wall_now_ms();
    const DurationMs pause =
        wake_at_ ? std::clamp<DurationMs>(*wake_at_ - now, 0, kLongestSleepMs) : kLongestSleepMs;
    if (inbox_.empty()) (void)co_await wake_.wait_for(pause);
    status = co_await take_inbox();
  }
  if (context_.wishes != nullptr) context_.wishes->on_push({});
  co_await watchers_.stop();
  while (dispatched_ > 0) (void)co_await wake_.wait_for(kLongestSleepMs);
  if (!status) co_return tl::unexpected<Error>(stopped(status.error()));
  co_return state_;
}

// Journals the events, durably, then applies them. An intent that would break a rule is not taken.
Task<Status> Rollout::record(std::vector<core::Event> events) {
  if (events.empty()) co_return Status{};
  const TimeMs at = std::max(wall_now_ms(), state_.now);
  for (const core::Event& event : events) {
    if (Status ok = keeps_rules(core::check_before(state_, event)); !ok) co_return ok;
  }
  auto entries = co_await context_.journal->append(context_.plan.rollout, at, std::move(events));
  if (!entries) co_return tl::unexpected<Error>(entries.error());
  for (const core::Entry& entry : *entries) {
    core::apply_to(state_, entry.event, entry.at);
    if (context_.on_entry) context_.on_entry(entry, state_);
    if (Status ok = keeps_rules(core::check_after(state_, entry.event)); !ok) co_return ok;
  }
  co_return Status{};
}

Task<Status> Rollout::take_inbox() {
  if (context_.wishes != nullptr) {
    for (core::OperatorAsked& asked : context_.wishes->take()) inbox_.push_back(std::move(asked));
  }
  co_return co_await record(std::exchange(inbox_, {}));
}

Task<Status> Rollout::decide_and_act() {
  for (int round = 0; round < kMaxDecisionsInARow; ++round) {
    core::Decision decision = core::decide(state_, std::max(wall_now_ms(), state_.now));
    if (!decision.records.empty()) {
      Status status = co_await record(std::move(decision.records));
      if (!status) co_return status;
      continue;
    }
    std::vector<core::Event> intents;
    for (const core::Effect& effect : decision.effects)
      intents.push_back(core::EffectIntended{effect});
    Status status = co_await record(std::move(intents));
    if (!status) co_return status;
    for (core::Effect& effect : decision.effects) {
      ++dispatched_;
      co_await detach(dispatch(std::move(effect)));
    }
    co_await watchers_.keep(std::move(decision.watches));
    wake_at_ = decision.wake_at;
    co_return Status{};
  }
  co_return fail(ErrorCode::internal, "the decision does not come to rest", {},
                 "This is a bug in hitless.");
}

Task<void> Rollout::dispatch(core::Effect effect) {
  EffectContext context{context_.parts, context_.journal, context_.plan, {}};
  if (const core::Instance* instance = core::find(state_, effect.instance);
      instance != nullptr && instance->report) {
    context.backups = instance->report->backups;
  }
  core::EffectFinished finished{effect.id, co_await carry_out(std::move(context), effect)};
  watchers_.forget(effect.instance);
  --dispatched_;
  arrive(std::move(finished));
}

Error Rollout::stopped(const Error& cause) const {
  Error error = cause;
  std::string out;
  for (const core::Instance& instance : state_.instances) {
    if (instance.taken_out) out += (out.empty() ? "" : ", ") + instance.plan.id.value;
  }
  if (!out.empty()) error.what += " (out of rotation by this rollout: " + out + ")";
  return error;
}

}  // namespace

Task<Result<core::State>> run_rollout(RunContext context) {
  Rollout rollout(std::move(context));
  co_return co_await rollout.run();
}

}  // namespace hitless::engine
