#include "engine/run_loop.hpp"

#include <algorithm>
#include <map>

#include "core/controller.hpp"
#include "core/names.hpp"
#include "core/recovery.hpp"
#include "engine/dispatch.hpp"
#include "engine/recovery.hpp"
#include "engine/watchers.hpp"

namespace hitless::engine {
namespace {

constexpr DurationMs kLongestSleepMs = 1'000;
// So much later than it was due, the loop was stopped: by SIGSTOP, a suspended machine, a stuck
// disk.
constexpr DurationMs kSleptMs = 5'000;
constexpr DurationMs kLookPollMs = 10;
constexpr DurationMs kRetakeMs = 1'000;
constexpr int kMaxDecisionsInARow = 10'000;  // a decision that never comes to rest is a bug

Error rule_broken(const core::Violation& violation) {
  return {ErrorCode::internal,
          "rule " + violation.rule + " would be broken: " + violation.what,
          {},
          "This is a bug in hitless; nothing more is done. Please report it with `hitless audit "
          "export`."};
}

bool only_observed(const std::vector<core::Event>& events) {
  return std::all_of(events.begin(), events.end(), [](const core::Event& event) {
    return std::holds_alternative<core::TrafficSeen>(event) ||
           std::holds_alternative<core::ServiceSeen>(event) ||
           std::holds_alternative<core::HealthSeen>(event);
  });
}

class Rollout {
 public:
  explicit Rollout(RunContext context)
      : context_(std::move(context)),
        guard_(context_.guard),
        watchers_(context_.parts, [this](core::Event event) { arrive(std::move(event)); }) {}

  Task<Result<core::State>> run();

 private:
  Task<Status> begin();
  Task<Status> open_or_take_over(std::int64_t epoch);
  Task<Result<std::int64_t>> take_patiently();
  // What happened outside, in order of arrival; taken in by the loop.
  void arrive(core::Event event) {
    // Only what answers after the proof counts for the instance.
    if (const auto* seen = std::get_if<core::ServiceSeen>(&event); seen != nullptr)
      watchers_.look_now(core::WatchKind::health, seen->instance);
    inbox_.push_back(std::move(event));
    wake_.notify();
  }
  void take_inbox(TimeMs at);
  Task<Status> record(std::vector<core::Event> events);
  void fold(std::vector<core::Event> events, TimeMs at);
  Task<Status> commit(TimeMs at);
  void point(const std::string& name) const {
    if (context_.on_point) context_.on_point(name);
  }
  [[nodiscard]] const core::State& state() const { return controller_.state(); }
  [[nodiscard]] const core::Instance* find(const core::InstanceId& id) const {
    const auto place = controller_.census().place_of(id);
    return place ? &state().instances[*place] : nullptr;
  }
  [[nodiscard]] TimeMs now() const { return clock_.at(steady_now_ms()); }
  Task<Status> turn();
  Task<void> start(std::vector<core::Effect> effects);
  void forget_what_was_seen();
  Task<void> prepare_next();
  void forget_skipped(const std::vector<core::Event>& events);
  Task<void> dispatch(core::Effect effect);
  Task<void> go_back_to_the_journal();
  [[nodiscard]] std::string rollout_id() const {
    return context_.past.empty() ? context_.plan.rollout : state().plan.rollout;
  }
  Task<void> keep_evidence(core::Effect effect);
  Task<void> look_at(core::InstanceId id);
  Task<Error> wind_up(Error cause);
  EffectContext context_of(const core::Effect& effect);
  DurationMs drain_left(const core::Instance& instance) const;
  std::vector<Guard::Out> out_now() const;

  RunContext context_;
  Guard guard_;
  core::Controller controller_;
  core::RolloutClock clock_;
  std::vector<core::Event> inbox_;
  DurationMs began_turn_ = 0;  // on the clock that goes on while the machine sleeps
  int sleeps_ = 0;
  std::vector<core::Event> folded_;        // in the state, not yet in the journal
  core::Controller told_;                  // as on_entry was told: entry by entry, not turn by turn
  std::optional<core::Violation> broken_;  // what the next event would break, or has broken
  Signal wake_;
  Watchers watchers_;
  int dispatched_ = 0;
  std::map<core::InstanceId, bool> looked_at_;  // failed instances; true: all there is was kept
  std::optional<TimeMs> wake_at_;
  std::optional<Error> lost_;  // another controller has the service
};

// The loop. Everything else in this file serves it.
Task<Result<core::State>> Rollout::run() {
  if (context_.wishes != nullptr) context_.wishes->on_push([this] { wake_.notify(); });
  Status status = co_await begin();
  const bool began = status.has_value();
  while (status && !state().ended) {
    status = co_await turn();
    if (!status || state().ended) break;
    const DurationMs pause =
        wake_at_ ? std::clamp<DurationMs>(*wake_at_ - now(), 0, kLongestSleepMs) : kLongestSleepMs;
    if (inbox_.empty()) (void)co_await wake_.wait_for(pause);
    if (boot_now_ms() > began_turn_ + pause + kSleptMs) forget_what_was_seen();
  }
  if (context_.wishes != nullptr) context_.wishes->on_push({});
  co_await watchers_.stop();
  while (dispatched_ > 0) (void)co_await wake_.wait_for(kLongestSleepMs);
  std::optional<Error> failure;
  if (!status) failure = began ? co_await wind_up(status.error()) : status.error();
  co_await guard_.stop();
  if (failure) co_return tl::unexpected<Error>(*failure);
  co_return state();
}

Task<Status> Rollout::begin() {
  core::State past = core::fold(context_.past);
  clock_ = core::RolloutClock(wall_now_ms(), steady_now_ms(), past.now);
  told_ = core::Controller(past);
  controller_ = core::Controller(std::move(past));
  if (state().ended) co_return Status{};
  auto epoch = co_await take_patiently();
  if (!epoch) co_return tl::unexpected<Error>(epoch.error());
  co_await guard_.keep([this] { return out_now(); },
                       [this](Error error) {
                         lost_ = std::move(error);
                         wake_.notify();
                       });
  if (Status status = co_await open_or_take_over(*epoch); !status) co_return status;
  Status told = co_await record(co_await guard_.alarms());
  if (told) co_await guard_.clear_alarms();
  co_return told;
}

// A lease wants every host to answer. One that an earlier controller has sent into a reboot may
// not yet: it has the time that the reboot has.
Task<Result<std::int64_t>> Rollout::take_patiently() {
  const bool rebooting =
      std::any_of(state().instances.begin(), state().instances.end(),
                  [](const core::Instance& i) { return i.reboots > 0 && !core::is_terminal(i); });
  const TimeMs end =
      rebooting ? steady_now_ms() + state().plan.policy.verify.deadline_ms : steady_now_ms();
  while (true) {
    auto epoch = co_await guard_.take(state().epoch);
    const bool gone = !epoch && (epoch.error().code == ErrorCode::unavailable ||
                                 epoch.error().code == ErrorCode::timed_out);
    if (!gone || steady_now_ms() + kRetakeMs >= end) co_return epoch;
    co_await sleep_for(kRetakeMs);
  }
}

Task<Status> Rollout::open_or_take_over(std::int64_t epoch) {
  if (context_.past.empty()) {
    co_return co_await record({core::RolloutStarted{context_.plan, context_.actor, epoch}});
  }
  // The old controller can start nothing more; what it started ends before anything is decided.
  Status status = co_await record(co_await outcomes_left_behind(context_.parts, state()));
  if (!status) co_return status;
  status = co_await record({core::ControllerTookOver{epoch, context_.actor}});
  for (const core::Instance& instance : state().instances) {
    if (!instance.taken_out) guard_.inherit(instance.plan.id);
  }
  co_return status;
}

Task<Status> Rollout::record(std::vector<core::Event> events) {
  const TimeMs at = now();
  fold(std::move(events), at);
  co_return co_await commit(at);
}

// Into the state, and into the transaction that is about to be written. A turn that would break a
// rule is not taken: nothing of it is written, and commit() goes back to before it.
void Rollout::fold(std::vector<core::Event> events, TimeMs at) {
  const std::size_t before = folded_.size();
  for (core::Event& event : events) {
    broken_ = controller_.fold(event, at);
    folded_.push_back(std::move(event));
    if (!broken_) continue;
    folded_.resize(before);
    return;
  }
}

// Makes durable what was folded. Nothing that changes anything is dispatched before that (I3), so a
// state that is ahead of a journal that cannot be written has done nothing with it, and is thrown
// away.
Task<Status> Rollout::commit(TimeMs at) {
  if (lost_) {
    co_await go_back_to_the_journal();
    co_return tl::unexpected<Error>(*lost_);
  }
  if (!folded_.empty()) {
    const std::string name = only_observed(folded_) ? "journal seen" : "journal step";
    point("before " + name);
    auto entries = co_await context_.journal->append(rollout_id(), at, std::exchange(folded_, {}));
    point("after " + name);
    if (!entries) {
      co_await go_back_to_the_journal();
      co_return tl::unexpected<Error>(entries.error());
    }
    if (context_.on_entry) {
      for (const core::Entry& entry : *entries) {
        (void)told_.journaled(entry.event, entry.at);
        context_.on_entry(entry, told_.state());
      }
    }
  }
  if (!broken_) co_return Status{};
  co_await go_back_to_the_journal();
  co_return tl::unexpected<Error>(rule_broken(*broken_));
}

void Rollout::take_inbox(TimeMs at) {
  if (context_.wishes != nullptr) {
    for (core::OperatorAsked& asked : context_.wishes->take()) inbox_.push_back(std::move(asked));
  }
  fold(std::exchange(inbox_, {}), at);
}

// What was looked at before a long sleep says nothing of now (rules I1, I2), also what is on its
// way.
void Rollout::forget_what_was_seen() {
  ++sleeps_;
  inbox_ = core::after_sleep(state(), std::exchange(inbox_, {}));
  for (const core::Instance& instance : state().instances) {
    watchers_.forget(instance.plan.id);
    watchers_.look_now(core::WatchKind::traffic, instance.plan.id);
  }
}

// What came in, all that follows from it, and the intents of what is to be done now: one
// transaction, one wait for the disk.
Task<Status> Rollout::turn() {
  began_turn_ = boot_now_ms();
  const TimeMs at = now();
  take_inbox(at);
  core::Turn next;
  for (int round = 0; !broken_ && !next.at_rest; ++round) {
    if (round == kMaxDecisionsInARow) {
      co_return fail(ErrorCode::internal, "the decision does not come to rest", {},
                     "This is a bug in hitless.");
    }
    next = controller_.decided(at);
    forget_skipped(next.events);
    fold(std::exchange(next.events, {}), at);
  }
  // To look does not wait for the disk: what is seen meanwhile is of the next turn.
  std::vector<core::Effect> looks, changes;
  for (core::Effect& effect : next.effects)
    (core::looks_only(effect.kind) ? looks : changes).push_back(std::move(effect));
  if (!broken_) {
    co_await watchers_.keep(std::move(next.watches));
    co_await start(std::move(looks));
  }
  if (Status status = co_await commit(at); !status) co_return status;
  co_await start(std::move(changes));
  wake_at_ = next.wake_at;
  co_await prepare_next();
  co_return Status{};
}

Task<void> Rollout::start(std::vector<core::Effect> effects) {
  for (core::Effect& effect : effects) {
    ++dispatched_;
    co_await detach(dispatch(std::move(effect)));
  }
}

// Whose turn comes next gets its timer while the one before it is at work.
Task<void> Rollout::prepare_next() {
  if (!guard_.has_timers() || state().halted || state().paused || state().ended) co_return;
  const core::Policy& policy = state().plan.policy;
  std::int64_t in_line = policy.capacity.at_once;
  std::vector<core::InstanceId> next;  // the state may change while one is armed
  for (const std::size_t place : controller_.census().members(core::Trait::lined_up)) {
    if (in_line == 0) break;
    if (!state().instances[place].report) continue;
    --in_line;
    next.push_back(state().instances[place].plan.id);
  }
  for (const core::InstanceId& id : next) {
    co_await guard_.arm_ahead({id, policy.drain.deadline_ms});
  }
}

// It is out by someone else's hand: a timer that an earlier controller of ours armed for it goes.
void Rollout::forget_skipped(const std::vector<core::Event>& events) {
  for (const core::Event& event : events) {
    const auto* advanced = std::get_if<core::Advanced>(&event);
    if (advanced != nullptr && advanced->from == core::PhaseName::draining &&
        advanced->to == core::PhaseName::skipped)
      guard_.disarm_soon(advanced->instance);
  }
}

EffectContext Rollout::context_of(const core::Effect& effect) {
  EffectContext context;
  context.parts = context_.parts;
  context.journal = context_.journal;
  context.plan = &state().plan;
  context.preflights = &context_.preflights;
  context.guard = &guard_;
  context.clock = clock_;
  if (const core::Instance* instance = find(effect.instance); instance != nullptr) {
    if (instance->report) context.backups = instance->report->backups;
    context.drain_left_ms = drain_left(*instance);
  }
  const bool over = effect.kind == core::EffectKind::finish;
  if (over || effect.kind == core::EffectKind::open_incident) {
    for (const core::Instance& instance : state().instances) {
      const bool on_purpose = std::holds_alternative<core::Quarantined>(instance.phase);
      if (instance.taken_out && (over || on_purpose))
        context.quarantined.push_back(instance.plan.id);
    }
  }
  return context;
}

Task<void> Rollout::dispatch(core::Effect effect) {
  const std::string name = std::string(core::to_string(effect.kind)) + " " + effect.instance.value;
  co_await keep_evidence(effect);
  point("before " + name);
  const int sleeps = sleeps_;
  core::EffectFinished finished{effect.id, co_await carry_out(context_of(effect), effect)};
  point("after " + name);
  if (sleeps != sleeps_) core::slept_through(effect.kind, finished.outcome);
  // A reading that was under way is void only when the effect may have changed what it saw.
  const bool only_looked =
      effect.kind == core::EffectKind::preflight || effect.kind == core::EffectKind::recheck;
  if (!only_looked) watchers_.forget(effect.instance);
  const bool shows = effect.kind == core::EffectKind::drain ||
                     effect.kind == core::EffectKind::act ||
                     effect.kind == core::EffectKind::rejoin;
  if (shows) watchers_.look_now(core::WatchKind::traffic, effect.instance);
  --dispatched_;
  arrive(std::move(finished));
}

Task<void> Rollout::look_at(core::InstanceId id) {
  if (const core::Instance* instance = find(id); instance != nullptr)
    (void)co_await finish_within(context_.keep_evidence(*instance), kKeepEvidenceMs);
  looked_at_[id] = true;
  --dispatched_;
  wake_.notify();
}

// What a rollback would destroy is looked at before. An instance that is still in rotation is not
// kept there for it: only what changes the host waits for the end of the look.
Task<void> Rollout::keep_evidence(core::Effect effect) {
  if (!context_.keep_evidence) co_return;
  std::vector<core::InstanceId> failed;
  for (const std::size_t place : controller_.census().members(core::Trait::failed)) {
    const core::Instance& instance = state().instances[place];
    const bool meant =
        effect.instance == instance.plan.id && effect.direction == core::Direction::backward;
    const bool left_out = effect.kind == core::EffectKind::open_incident;
    if (meant || left_out) failed.push_back(instance.plan.id);
  }
  for (const core::InstanceId& id : failed) {
    if (!looked_at_.try_emplace(id, false).second) continue;
    ++dispatched_;  // the run does not end before it
    co_await detach(look_at(id));
  }
  const bool changes = effect.kind == core::EffectKind::install_config ||
                       effect.kind == core::EffectKind::act ||
                       effect.kind == core::EffectKind::open_incident;
  for (const core::InstanceId& id : failed) {
    while (changes && !looked_at_[id]) co_await sleep_for(kLookPollMs);
  }
}

DurationMs Rollout::drain_left(const core::Instance& instance) const {
  const auto* draining = std::get_if<core::Draining>(&instance.phase);
  if (draining == nullptr) return 0;
  const TimeMs end = draining->since + state().plan.policy.drain.deadline_ms;
  return std::max<DurationMs>(end - now(), 0);
}

std::vector<Guard::Out> Rollout::out_now() const {
  std::vector<Guard::Out> out;
  for (const core::Instance& instance : state().instances) {
    const bool on_purpose = std::holds_alternative<core::Quarantined>(instance.phase);
    if (!instance.taken_out || on_purpose) continue;
    // Told to come back, or about to be: its timer is disarmed with the rejoin.
    const auto* rejoining = std::get_if<core::Rejoining>(&instance.phase);
    const bool going_back =
        instance.pending && instance.pending->effect.kind == core::EffectKind::rejoin;
    if (going_back || (rejoining != nullptr && rejoining->commanded)) continue;
    out.push_back({instance.plan.id, drain_left(instance)});
  }
  return out;
}

// What was folded in vain is forgotten. Where even reading fails the state stays ahead: it holds
// more to be changed than was, and that only keeps instances from being put back.
Task<void> Rollout::go_back_to_the_journal() {
  const auto entries = context_.journal->read(rollout_id(), 0);
  if (!entries) co_return;
  controller_ = core::Controller(core::fold(*entries));
}

// Nothing more can be journaled, so nothing more is done; but staying out serves nobody.
Task<Error> Rollout::wind_up(Error cause) {
  std::vector<core::InstanceId> back;
  if (!lost_) back = co_await put_back_unjournaled(context_.parts, &guard_, state());
  std::string out, returned;
  for (const core::Instance& instance : state().instances) {
    if (!instance.taken_out) continue;
    const bool is_back = std::find(back.begin(), back.end(), instance.plan.id) != back.end();
    std::string& list = is_back ? returned : out;
    list += (list.empty() ? "" : ", ") + instance.plan.id.value;
  }
  if (!returned.empty()) cause.what += "; put back into rotation unchanged or proven: " + returned;
  if (!out.empty()) cause.what += "; out of rotation by this rollout: " + out;
  if (cause.help.empty()) cause.help = "mend the cause, then `hitless resume`";
  co_return cause;
}

}  // namespace

Task<Result<core::State>> run_rollout(RunContext context) {
  Rollout rollout(std::move(context));
  co_return co_await rollout.run();
}

}  // namespace hitless::engine
