#include "adapters/traffic/haproxy_report.hpp"

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::LbCheck;

// srv_admin_state, from HAProxy's include/haproxy/server-t.h. Not maintenance, though named like
// it: 0x04 CMAINT ("was disabled in the configuration") stays set after the server was enabled by
// hand, and 0x40 HMAINT means that its host name was set over the socket.
constexpr std::int64_t forced_maint = 0x01, inherited_maint = 0x02, resolution_maint = 0x20;
constexpr std::int64_t forced_drain = 0x08, inherited_drain = 0x10;
constexpr std::int64_t any_maint = forced_maint | inherited_maint | resolution_maint;
constexpr std::int64_t op_stopping = 3;
constexpr std::int64_t check_enabled = 0x04;

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(redact(text), 60));
}

std::string why_maint(const StatRow& row, const ServerState& state) {
  if ((state.admin & resolution_maint) != 0) return "in maint: its name does not resolve";
  if ((state.admin & inherited_maint) != 0) return "in maint: so is " + shown(row.tracked);
  return "in maint by someone else";
}

// "* L4CON" is a check under way; what stands after the star is the last result.
std::string_view last_check(const StatRow& row) {
  const std::string_view text = row.check_status;
  return trim(text.starts_with('*') ? text.substr(1) : text);
}

// A server that tracks another has no check of its own; its status follows the other's.
LbCheck tracked_check(const StatRow& row) {
  if (row.status.starts_with("UP") || row.status.starts_with("DRAIN")) return LbCheck::pass;
  if (row.status.starts_with("DOWN")) return LbCheck::fail;
  return row.status == "no check" ? LbCheck::none : LbCheck::unknown;
}

void add_to(std::optional<std::int64_t>& sum, const std::optional<std::int64_t>& part) {
  if (!part) {
    sum.reset();
  } else if (sum) {
    *sum += *part;
  }
}

std::optional<std::int64_t> errors_of(const StatRow& row) {
  std::optional<std::int64_t> sum = 0;
  add_to(sum, row.connect_errors);
  add_to(sum, row.response_errors);
  add_to(sum, row.server_aborts);
  // In mode tcp there are no responses, so no column either.
  if (row.mode == "http" || row.responses_5xx) add_to(sum, row.responses_5xx);
  return sum;
}

void append(std::string& note, const std::string& text) {
  if (text.empty()) return;
  if (!note.empty()) note += ", ";
  note += text;
}

}  // namespace

AdminReading read_admin(const StatRow& row, const ServerState& state) {
  AdminReading out;
  out.by_drain_command = (state.admin & forced_drain) != 0;
  if ((state.admin & any_maint) != 0 || row.status.starts_with("MAINT")) {
    // A name that does not resolve, or a tracked server, may lie over our own drain: it is still
    // ours then, and stays when that is over.
    const bool by_a_person = (state.admin & forced_maint) != 0;
    out.state = out.by_drain_command && !by_a_person ? AdminState::drain : AdminState::maint;
    out.by_other = true;
    out.why = why_maint(row, state);
    return out;
  }
  std::string other;
  if ((state.admin & inherited_drain) != 0)
    append(other, "drained because it tracks " + shown(row.tracked));
  if (state.weight == 0) append(other, "its weight is 0");
  if (state.op == op_stopping || row.status.starts_with("NOLB")) {
    append(other, "its check says that it wants no new work (disable-on-404)");
  }
  out.by_other = !other.empty();
  out.why = other;
  if (out.by_other || out.by_drain_command || row.status.starts_with("DRAIN")) {
    out.state = AdminState::drain;
    if (row.has_agent)
      append(out.why, "its agent-check may undo a drain, and alone undoes its own");
  } else {
    out.state = AdminState::ready;
  }
  return out;
}

bool is_out(core::AdminState state) {
  return state == AdminState::drain || state == AdminState::maint;
}

bool has_check(const StatRow& row, const ServerState& state) {
  if (!row.tracked.empty()) return tracked_check(row) != LbCheck::none;
  return (state.check_state & check_enabled) != 0 || !row.check_status.empty();
}

LbCheck read_check(const StatRow& row, const ServerState& state) {
  if (row.status.starts_with("MAINT"))
    return LbCheck::unknown;  // checks rest, even of a tracked one
  if (!row.tracked.empty()) return tracked_check(row);
  if (!has_check(row, state)) return LbCheck::none;
  const std::string_view last = last_check(row);
  // L7OKC is "conditionally ok": a 404 that asks for no new work.
  if (last.empty() || last == "UNK" || last == "INI" || last == "L7OKC") return LbCheck::unknown;
  const bool passed = last == "L4OK" || last == "L6OK" || last == "L7OK" || last == "PROCOK";
  // "DOWN 1/3" with L7OK: it is on its way up, but still gets nothing.
  return passed && !row.status.starts_with("DOWN") ? LbCheck::pass : LbCheck::fail;
}

std::string epoch_of(const WorkerInfo& worker) {
  const std::string pid = std::to_string(worker.pid);
  return worker.start.empty() ? pid : pid + ":" + worker.start;
}

std::optional<std::int64_t> in_flight_of(const NodeView& view, const std::string& server) {
  const auto row = view.stat.servers.find(server);
  if (row == view.stat.servers.end() || !view.old_unknown.empty()) return std::nullopt;
  std::optional<std::int64_t> sum = 0;
  add_to(sum, row->second.sessions);
  add_to(sum, row->second.queued);
  for (const StatTable& old : view.old) {
    const auto before = old.servers.find(server);
    if (before == old.servers.end()) continue;  // the old configuration did not have it
    add_to(sum, before->second.sessions);
    add_to(sum, before->second.queued);
  }
  return sum;
}

core::TargetReport make_report(const NodeView& view, const std::string& backend,
                               const std::string& server, const std::string& doubt) {
  core::TargetReport report;
  report.epoch = epoch_of(view.worker);
  const auto row = view.stat.servers.find(server);
  const auto state = view.states.find(server);
  if (view.backend_missing || (row == view.stat.servers.end() && state == view.states.end())) {
    report.admin = AdminState::absent;
    report.note = view.backend_missing ? "there is no backend " + backend
                                       : "backend " + backend + " has no server " + server;
    return report;
  }
  if (row == view.stat.servers.end() || state == view.states.end()) {
    report.note = "its tables disagree about server " + server;
    return report;
  }
  const AdminReading admin = read_admin(row->second, state->second);
  report.admin = admin.state;
  append(report.note, admin.why);
  report.check = read_check(row->second, state->second);
  if (report.check == LbCheck::fail) {
    append(report.note,
           "check " + shown(row->second.check_status) + ", " + shown(row->second.status));
  }
  report.standby = row->second.backup;
  // That a backup server gets none is no sign that it is not back.
  if (!row->second.backup) report.requests = row->second.total;
  report.errors = errors_of(row->second);
  report.idle = row->second.idle;
  for (const StatTable& old : view.old) {
    const auto before = old.servers.find(server);
    if (report.idle && before != old.servers.end()) *report.idle += before->second.idle.value_or(0);
  }
  if (doubt.empty()) report.in_flight = in_flight_of(view, server);
  if (!report.in_flight) {
    const std::string& why = doubt.empty() ? view.old_unknown : doubt;
    append(report.note, why.empty() ? "no session count" : why);
  }
  return report;
}

}  // namespace hitless::traffic
