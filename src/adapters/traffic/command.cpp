#include "adapters/traffic/command.hpp"

#include <algorithm>

#include "adapters/traffic/command_output.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;
using core::LbCheck;

constexpr DurationMs kLookDeadlineMs = 2'500;  // of state and count; the engine waits 3 s for both
constexpr DurationMs kPollMs = 100;
constexpr std::size_t kShownErrorBytes = 200;

bool is_out(AdminState state) {
  return state == AdminState::drain || state == AdminState::maint;
}

class CommandTraffic final : public ports::Traffic {
 public:
  explicit CommandTraffic(CommandPool pool) : pool_(std::move(pool)) {}

  [[nodiscard]] std::string describe() const override {
    std::vector<std::string> names;
    for (const CommandNode& node : pool_.nodes) names.push_back(node.name);
    return escape_for_terminal(pool_.pool + " @ " + join(names, ", "));
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(core::InstanceId target) override;
  Task<Status> rejoin(core::InstanceId target) override;
  Task<Status> close_remaining(core::InstanceId target) override;
  Task<std::vector<ports::PoolCounters>> counters() override;
  [[nodiscard]] bool has_counters() const override { return counts_; }

 private:
  using Member = const CommandMember*;
  using Node = const CommandNode*;

  [[nodiscard]] std::vector<std::pair<Node, Member>> places_of(const core::InstanceId& id) const;
  Task<Result<std::string>> run(Node node, std::vector<std::string> argv, DurationMs deadline_ms,
                                std::string what);
  Task<Result<CommandState>> look(Node node, Member member);
  Task<void> read_one(Node node, Member member, core::TargetReport* out);
  Task<void> read_node(Node node, std::vector<core::TargetReport>* out);
  // Runs the command and waits until the state is as wanted.
  Task<Status> tell(Node node, Member member, std::vector<std::string> argv, std::string what,
                    bool want_out);
  Task<Status> drain_on(Node node, Member member);
  Task<Status> rejoin_on(Node node, Member member);
  [[nodiscard]] Error not_here(const core::InstanceId& id) const {
    return {
        ErrorCode::not_found, escape_for_terminal(id.value) + " is not in " + describe(), {}, {}};
  }

  CommandPool pool_;
  bool counts_ = true;  // until a state without requests was seen
};

std::vector<std::pair<const CommandNode*, const CommandMember*>> CommandTraffic::places_of(
    const core::InstanceId& id) const {
  std::vector<std::pair<Node, Member>> places;
  for (const CommandNode& node : pool_.nodes)
    for (const CommandMember& member : node.members)
      if (member.instance == id) places.emplace_back(&node, &member);
  return places;
}

Task<Result<std::string>> CommandTraffic::run(Node node, std::vector<std::string> argv,
                                              DurationMs deadline_ms, std::string what) {
  auto ran = co_await node->host->exec(std::move(argv), {}, deadline_ms, false);
  if (!ran) {
    Error error = ran.error();
    error.what = "the " + what + " command: " + error.what;
    if (error.where.empty()) error.where = node->name;
    co_return tl::unexpected(std::move(error));
  }
  if (ran->exit_code == 0 && !ran->truncated) co_return std::move(ran->out);
  std::string said = redact(escape_for_terminal(truncate_utf8(trim(ran->err), kShownErrorBytes)));
  if (!said.empty()) said = ": " + said;
  co_return fail(
      ErrorCode::failed,
      "the " + what + " command ended with exit code " + std::to_string(ran->exit_code) + said,
      node->name);
}

// ---- read ---------------------------------------------------------------------------------------
Task<Result<CommandState>> CommandTraffic::look(Node node, Member member) {
  auto out = co_await run(node, member->state, kLookDeadlineMs, "state");
  if (!out) co_return tl::unexpected(out.error());
  auto state = parse_command_state(*out);
  if (!state) {
    Error error = state.error();
    error.what = "the state command: " + error.what;
    error.where = node->name;
    co_return tl::unexpected(std::move(error));
  }
  counts_ = counts_ && (state->requests || state->admin == AdminState::absent);
  if (member->count.empty() || state->admin == AdminState::absent) co_return state;
  state->in_flight.reset();  // the count command is the one that was asked to count
  auto counted = co_await run(node, member->count, kLookDeadlineMs, "count");
  if (!counted) co_return tl::unexpected(counted.error());
  auto count = parse_command_count(*counted);
  if (!count) {
    Error error = count.error();
    error.what = "the count command: " + error.what;
    error.where = node->name;
    co_return tl::unexpected(std::move(error));
  }
  state->in_flight = *count;
  co_return state;
}

Task<void> CommandTraffic::read_one(Node node, Member member, core::TargetReport* out) {
  out->instance = member->instance;
  out->lb = pool_.lb;
  out->node = node->name;
  out->pool = pool_.pool;
  auto state = co_await look(node, member);
  if (!state) {
    out->note = hitless::describe(state.error());
    co_return;
  }
  out->admin = state->admin;
  out->check = state->check;
  out->in_flight = state->in_flight;
  out->idle = state->idle;
  out->requests = state->requests;
  out->errors = state->errors;
  out->epoch = state->epoch;
  if (state->admin == AdminState::absent)
    out->note = node->name + ": it has no " + escape_for_terminal(member->member);
}

Task<void> CommandTraffic::read_node(Node node, std::vector<core::TargetReport>* out) {
  out->resize(node->members.size());
  for (std::size_t i = 0; i < node->members.size(); ++i)
    co_await read_one(node, &node->members[i], &(*out)[i]);
}

Task<std::vector<core::TargetReport>> CommandTraffic::read() {
  std::vector<std::vector<core::TargetReport>> by_node(pool_.nodes.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < by_node.size(); ++i)
    tasks.push_back(read_node(&pool_.nodes[i], &by_node[i]));
  co_await join_all(std::move(tasks));
  std::vector<core::TargetReport> known, unknown;
  for (auto& reports : by_node)
    for (core::TargetReport& report : reports)
      (report.admin == AdminState::unknown ? unknown : known).push_back(std::move(report));
  co_await count_host_sockets(pool_.sockets, &known);
  known.insert(known.end(), std::make_move_iterator(unknown.begin()),
               std::make_move_iterator(unknown.end()));
  co_return known;
}

// ---- change -------------------------------------------------------------------------------------
Task<Status> CommandTraffic::tell(Node node, Member member, std::vector<std::string> argv,
                                  std::string what, bool want_out) {
  const TimeMs end = steady_now_ms() + pool_.timeout_ms;
  auto told = co_await run(node, std::move(argv), pool_.timeout_ms, what);
  if (!told) co_return tl::unexpected(told.error());
  for (;;) {
    auto state = co_await look(node, member);
    if (!state) co_return tl::unexpected(state.error());
    if (want_out ? is_out(state->admin) : state->admin == AdminState::ready) co_return Status{};
    if (steady_now_ms() >= end) break;
    co_await sleep_for(kPollMs);
  }
  co_return fail(ErrorCode::failed,
                 "the " + what + " command of " + escape_for_terminal(member->member) +
                     " was obeyed in name only: `state` does not say so",
                 node->name, "run both by hand and compare");
}

Task<Status> CommandTraffic::drain_on(Node node, Member member) {
  auto state = co_await look(node, member);
  if (!state) co_return tl::unexpected(state.error());
  if (is_out(state->admin)) co_return Status{};
  if (state->admin == AdminState::absent)
    co_return fail(ErrorCode::not_found, "it has no " + escape_for_terminal(member->member),
                   node->name);
  co_return co_await tell(node, member, member->drain, "drain", true);
}

Task<Status> CommandTraffic::rejoin_on(Node node, Member member) {
  auto state = co_await look(node, member);
  if (!state) co_return tl::unexpected(state.error());
  const std::string name = escape_for_terminal(member->member);
  switch (state->admin) {
    case AdminState::ready:
      co_return Status{};
    case AdminState::maint:
      co_return fail(ErrorCode::refused, name + " is not ours to put back: it is in maint",
                     node->name, "whoever took it out must put it back");
    case AdminState::absent:
      co_return fail(ErrorCode::not_found, "it has no " + name, node->name);
    case AdminState::drain:
    case AdminState::unknown:
      break;
  }
  if (state->check != LbCheck::pass && state->check != LbCheck::none)
    co_return fail(ErrorCode::refused, "the load balancer's check of " + name + " does not pass",
                   node->name, "it stays drained; see why its check fails");
  co_return co_await tell(node, member, member->rejoin, "rejoin", false);
}

Task<Status> CommandTraffic::drain(core::InstanceId target) {
  const auto places = places_of(target);
  if (places.empty()) co_return tl::unexpected(not_here(target));
  for (const auto& [node, member] : places)
    if (auto ok = co_await drain_on(node, member); !ok) co_return ok;
  co_return Status{};
}

Task<Status> CommandTraffic::rejoin(core::InstanceId target) {
  const auto places = places_of(target);
  if (places.empty()) co_return tl::unexpected(not_here(target));
  for (const auto& [node, member] : places)
    if (auto ok = co_await rejoin_on(node, member); !ok) co_return ok;
  co_return Status{};
}

Task<Status> CommandTraffic::close_remaining(core::InstanceId target) {
  const auto places = places_of(target);
  if (places.empty()) co_return tl::unexpected(not_here(target));
  for (const auto& [node, member] : places) {
    if (member->close.empty())
      co_return fail(ErrorCode::refused, "there is no `close` command", node->name,
                     "add `close:` to the load balancer, or use on_deadline: abort or wait");
    auto state = co_await look(node, member);
    if (!state) co_return tl::unexpected(state.error());
    if (!is_out(state->admin))
      co_return fail(ErrorCode::refused, escape_for_terminal(member->member) + " is in rotation",
                     node->name, "drain it first");
    auto told = co_await run(node, member->close, pool_.timeout_ms, "close");
    if (!told) co_return tl::unexpected(told.error());
  }
  co_return Status{};
}

// ---- counters and capabilities ------------------------------------------------------------------
Task<std::vector<ports::PoolCounters>> CommandTraffic::counters() {
  std::vector<ports::PoolCounters> all;
  for (const CommandNode& node : pool_.nodes) {
    ports::PoolCounters counters;
    counters.node = node.name;
    std::int64_t requests = 0;
    bool known = !node.members.empty();
    for (const CommandMember& member : node.members) {
      auto state = co_await look(&node, &member);
      known = known && state && state->requests;
      if (!known) break;
      requests += *state->requests;
      if (&member != &node.members.front()) counters.epoch += ' ';
      counters.epoch += state->epoch;
    }
    if (known) counters.requests = requests;
    all.push_back(std::move(counters));
  }
  co_return all;
}

Task<Result<ports::TrafficCapabilities>> CommandTraffic::capabilities() {
  ports::TrafficCapabilities can;
  can.survives_lb_reload = can.survives_lb_restart = false;
  can.settle_ms = pool_.settle_ms;
  for (const CommandNode& node : pool_.nodes) {
    for (const CommandMember& member : node.members) {
      auto state = co_await look(&node, &member);
      if (!state) co_return tl::unexpected(state.error());
      can.checked_rejoin = can.checked_rejoin && state->check != LbCheck::none;
      can.exact_in_flight = can.exact_in_flight && state->in_flight.has_value();
      can.counts_requests = can.counts_requests && state->requests && state->errors;
    }
  }
  can.counts_idle = !can.exact_in_flight;
  if (!can.exact_in_flight) can.remarks.emplace_back(kHostSocketsRemark);
  if (!can.checked_rejoin)
    can.remarks.emplace_back(
        "`state` tells of no health check: a member gets work at once when it "
        "is put back");
  if (!can.counts_requests)
    can.remarks.emplace_back(
        "`state` tells no requests and errors: live traffic and errors after "
        "the rejoin are not seen, and no certificate is given");
  can.remarks.emplace_back(
      "whether a drain outlives a reload of the load balancer is up to it; one "
      "that is gone is set again");
  co_return can;
}

}  // namespace
}  // namespace traffic

std::unique_ptr<ports::Traffic> make_command_traffic(CommandPool pool) {
  return std::make_unique<traffic::CommandTraffic>(std::move(pool));
}

}  // namespace hitless
