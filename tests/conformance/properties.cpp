// What every traffic driver must do. A property that a driver's capabilities do not promise must
// still tell the truth: what it cannot know is unknown, never a guess.
#include <algorithm>

#include "base/text.hpp"
#include "world.hpp"

namespace hitless::conformance {
namespace {

using core::AdminState;
using ports::TrafficCapabilities;

Cell holds() {
  return {Cell::Kind::holds, {}};
}
Cell not_promised(std::string why) {
  return {Cell::Kind::not_promised, std::move(why)};
}
Cell none(std::string why) {
  return {Cell::Kind::none, std::move(why)};
}
Cell broken(std::string why) {
  return {Cell::Kind::broken, std::move(why)};
}
Cell broken(const std::string& what, const Status& status) {
  return broken(what + ": " + (status ? std::string("it said ok") : describe(status.error())));
}

bool is_out(const core::TargetReport& report) {
  return report.admin == AdminState::drain || report.admin == AdminState::maint;
}
bool unknown(const core::TargetReport& report) {
  return report.admin == AdminState::unknown;
}

// The load balancer may need a moment (settle); then not one request may arrive.
bool gets_nothing(World& world, const std::string& instance) {
  if (world.notices_ms() > 0)
    (void)eventually([&] { return !world.reaches(instance, 10); }, world.notices_ms() * 3);
  return !world.reaches(instance, 30);
}
bool comes_back(World& world, const std::string& instance) {
  return eventually([&] { return world.reaches(instance, 10); });
}

Cell read(World& world, const TrafficCapabilities&) {
  const auto reports = world.read();
  if (reports.size() != 2) return broken("not one report for each member");
  for (const core::TargetReport& report : reports) {
    if (report.admin != AdminState::ready) return broken("not ready at first: " + report.note);
    if (report.lb.empty() || report.node.empty() || report.pool.empty())
      return broken("a report does not say where it is from");
    if (!report.in_flight) return broken("no count in flight: " + report.note);
  }
  const Status stranger = world.drain("stranger");
  if (stranger || stranger.error().code != ErrorCode::not_found)
    return broken("an instance that is not in the pool", stranger);
  return holds();
}

Cell drain(World& world, const TrafficCapabilities&) {
  if (auto ok = world.drain("a"); !ok) return broken("drain", ok);
  if (!is_out(world.read("a"))) return broken("drained, but reads " + world.read("a").note);
  if (world.read("b").admin != AdminState::ready) return broken("the other one is not ready");
  if (!gets_nothing(world, "a")) return broken("requests still arrive");
  if (!comes_back(world, "b")) return broken("the other one gets nothing");
  if (auto ok = world.drain("a"); !ok) return broken("a second drain", ok);
  if (auto ok = world.rejoin("a"); !ok) return broken("rejoin", ok);
  return comes_back(world, "a") ? holds() : broken("it does not come back");
}

Cell in_flight(World& world, const TrafficCapabilities& can) {
  const auto request = world.hold_at("a");
  if (auto ok = world.drain("a"); !ok) return broken("drain with a request in flight", ok);
  (void)eventually([&] { return !world.reaches("a", 4); }, 3'000);
  const core::TargetReport during = world.read("a");
  if (!during.in_flight) return broken("unknown while a request is in flight: " + during.note);
  if (*during.in_flight < 1) return broken("0 while a request is in flight");
  world.release("a");
  if (!request->ended_well()) return broken("the request in flight was lost");
  if (!eventually([&] { return world.read("a").in_flight == 0; }))
    return broken("it never comes to 0");
  if (auto ok = world.rejoin("a"); !ok) return broken("rejoin", ok);
  if (!comes_back(world, "a")) return broken("it does not come back");
  return can.exact_in_flight ? holds() : not_promised("held, but by sockets, not by requests");
}

Cell rejoin(World& world, const TrafficCapabilities& can) {
  if (auto ok = world.rejoin("a"); !ok) return broken("rejoin of one that is in", ok);
  if (auto ok = world.drain("a"); !ok) return broken("drain", ok);
  if (can.checked_rejoin) {
    constexpr int kNoticeMs = 3'000;  // one that is out may not be checked at all
    world.healthy_a = false;
    (void)eventually([&] { return world.read("a").check == core::LbCheck::fail; }, kNoticeMs);
    const Status sick = world.rejoin("a");
    const core::TargetReport seen = world.read("a");
    const bool reached = world.reaches("a", 10);
    world.healthy_a = true;
    if (reached) return broken("a sick instance was put back", sick);
    if (seen.admin == AdminState::ready && seen.check != core::LbCheck::fail &&
        seen.check != core::LbCheck::unknown)
      return broken("a sick instance reads as in rotation", sick);
    if (!eventually([&] { return world.read("a").check == core::LbCheck::pass; }))
      return broken("its check does not pass again");
  }
  if (auto ok = world.rejoin("a"); !ok) return broken("rejoin", ok);
  if (world.read("a").admin != AdminState::ready) return broken("it does not read ready");
  if (!comes_back(world, "a")) return broken("no requests arrive");
  return can.checked_rejoin ? holds() : not_promised("back at once: no health check gates it");
}

Cell foreign(World& world, const TrafficCapabilities& can) {
  world.foreign_out("a");
  if (!is_out(world.read("a"))) return broken("out by somebody else, but does not read so");
  const core::TargetReport seen = world.read("a");
  if (can.tells_foreign && seen.admin != AdminState::maint)
    return broken("it promises to tell whose hand it was, and does not");
  if (auto ok = world.drain("a"); !ok) return broken("drain of one that is out", ok);
  if (can.tells_foreign) {
    const Status back = world.rejoin("a");
    if (back) return broken("it put back what somebody else took out", back);
    if (!is_out(world.read("a"))) return broken("it is back in rotation");
  }
  world.foreign_in("a");
  if (world.read("a").admin != AdminState::ready) return broken("back by somebody else, not seen");
  if (!comes_back(world, "a")) return broken("it does not come back");
  return can.tells_foreign ? holds() : not_promised("whose hand took it out is not told");
}

// What a driver says after the load balancer came up again must be what clients see.
Cell after_coming_up(World& world, bool survives) {
  const core::TargetReport seen = world.read("a");
  if (unknown(seen)) return broken("unknown: " + seen.note);
  if (survives && !is_out(seen)) return broken("the drain was promised to outlive it");
  if (is_out(seen) && !gets_nothing(world, "a")) return broken("says out, and requests arrive");
  if (!is_out(seen) && !comes_back(world, "a")) return broken("says ready, and nothing arrives");
  if (auto ok = world.drain("a"); !ok) return broken("drain again", ok);
  if (!gets_nothing(world, "a")) return broken("drained again, and requests arrive");
  return survives ? holds() : not_promised("forgotten, seen, and set again");
}

Cell put_back(World& world, Cell cell) {
  if (cell.kind == Cell::Kind::broken) return cell;
  if (auto ok = world.rejoin("a"); !ok) return broken("rejoin", ok);
  return comes_back(world, "a") ? cell : broken("it does not come back");
}

Cell lb_reload(World& world, const TrafficCapabilities& can) {
  if (!world.has_process()) return none("nobody reloads it");
  const auto request = world.hold_at("a");
  if (auto ok = world.drain("a"); !ok) return broken("drain", ok);
  world.reload();
  const Cell cell = after_coming_up(world, can.survives_lb_reload);
  if (cell.kind == Cell::Kind::broken) return cell;
  if (world.read("a").in_flight == 0) return broken("the request in the old worker is not counted");
  world.release("a");
  if (!request->ended_well()) return broken("the request in flight was lost");
  if (!eventually([&] { return world.read("a").in_flight == 0; }))
    return broken("never comes to 0");
  return put_back(world, cell);
}

Cell lb_restart(World& world, const TrafficCapabilities& can) {
  if (!world.has_process()) return none("nobody restarts it");
  if (auto ok = world.drain("a"); !ok) return broken("drain", ok);
  world.restart();
  return put_back(world, after_coming_up(world, can.survives_lb_restart));
}

// We die at some moment of a command; whoever comes next finds a truth and can go on.
Cell lost_reply(World& world, const TrafficCapabilities&) {
  for (const int after_ms : {1, 4, 10, 25, 60}) {
    (void)world.drain("a", after_ms);
    if (auto ok = world.drain("a"); !ok)
      return broken("drain after one cut off at " + std::to_string(after_ms) + "ms", ok);
    if (!is_out(world.read("a"))) return broken("drained, but does not read so");
    (void)world.rejoin("a", after_ms);
    if (auto ok = world.rejoin("a"); !ok)
      return broken("rejoin after one cut off at " + std::to_string(after_ms) + "ms", ok);
    if (world.read("a").admin != AdminState::ready) return broken("back, but does not read so");
  }
  return comes_back(world, "a") ? holds() : broken("it does not come back");
}

Cell counters(World& world, const TrafficCapabilities& can) {
  constexpr int kSent = 20;
  world.send(2);
  const auto sum = [&]() -> std::optional<std::int64_t> {
    std::int64_t all = 0;
    const auto nodes = world.counters();
    if (nodes.empty()) return std::nullopt;
    for (const ports::PoolCounters& node : nodes) {
      if (!node.requests) return std::nullopt;
      all += *node.requests;
    }
    return all;
  };
  const auto before = sum();
  const core::TargetReport seen = world.read("a");
  if (before.has_value() != world.has_counters())
    return broken("has_counters() does not say what counters() does");
  if (!can.counts_requests) {
    if (seen.errors) return broken("numbers that were not promised");
    if (!before && !seen.requests)
      return not_promised("no requests or errors are counted, and none are claimed");
  }
  if (!before || !seen.requests) return broken("counts of one kind and not of the other");
  if (can.counts_requests && !seen.errors) return broken("counts were promised");
  world.send(kSent);
  const auto after = sum();
  if (!after || *after - *before < kSent) return broken("it counted less than was sent");
  if (world.read("a").requests <= seen.requests) return broken("the member's count stands still");
  world.reload();
  const core::TargetReport fresh = world.read("a");
  if (fresh.requests < seen.requests && fresh.epoch == seen.epoch)
    return broken("counts began anew, and the epoch does not say so");
  return can.counts_requests ? holds() : not_promised("requests are counted, errors are not");
}

Cell unknown_never_good(World& world, const TrafficCapabilities&) {
  world.blind();
  const auto reports = world.read();
  const Status told = world.drain("a");
  const Status back = world.rejoin("a");
  world.see();
  if (reports.size() != 2) return broken("not one report for each member");
  for (const core::TargetReport& report : reports) {
    if (!unknown(report)) return broken("it claims to know");
    if (report.note.empty()) return broken("it does not say why");
    if (report.in_flight || report.requests) return broken("it has numbers");
  }
  if (told) return broken("drain", told);
  if (back) return broken("rejoin", back);
  return world.read("a").admin == AdminState::ready ? holds() : broken("it does not see again");
}

}  // namespace

const std::vector<Property>& properties() {
  static const std::vector<Property> all{
      {"read", "one report for each member, with its place and a count", read},
      {"drain", "no request arrives any more; told twice is told once", drain},
      {"in-flight", "what is in flight is counted until its end, and not lost", in_flight},
      {"rejoin", "requests arrive again, behind the load balancer's own check", rejoin},
      {"foreign change", "what somebody else took out is seen and stays out", foreign},
      {"LB reload", "after a reload it says what clients see, old workers counted", lb_reload},
      {"LB restart", "after a restart it says what clients see", lb_restart},
      {"lost reply", "killed in mid-command, the next controller can go on", lost_reply},
      {"counters", "requests and errors count up, or are honestly missing", counters},
      {"unknown", "what cannot be asked is unknown, without numbers, and refuses",
       unknown_never_good}};
  return all;
}

}  // namespace hitless::conformance
