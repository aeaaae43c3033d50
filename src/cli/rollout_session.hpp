// One rollout run by this process, new or taken over: drivers, sinks, journal and file lock before
// it; screens, control socket and Ctrl-C while it runs; card and notifications after it.
//
// A crash at any point leaves a journal from which the same session can be run again; a
// notification that was due and not sent is sent by the next session of the service.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/journal/service_lock.hpp"
#include "cli/app.hpp"
#include "cli/clients.hpp"
#include "cli/wiring.hpp"
#include "engine/run_loop.hpp"
#include "fleet/fleet.hpp"
#include "ports/notify.hpp"

namespace hitless::cli {

struct RolloutSession {
  App* app = nullptr;
  Wiring* wiring = nullptr;  // lives as long as the run
  std::vector<std::unique_ptr<ports::Sink>> sinks;
  std::unique_ptr<journal::SqliteJournal> journal;
  std::vector<journal::ServiceLock> locks;  // of each service that it works on
  std::optional<fleet::Fleet> fleet;
  std::unique_ptr<Clients> clients;  // of the run under way
  engine::Wishes wishes;
  std::vector<core::Entry> entries;  // of the rollout, those of earlier controllers too
  std::size_t entries_before = 0;    // of earlier controllers
  std::string actor;                 // of a new rollout; empty: who is at the command line
  int exit_code = kError;
  std::function<void(std::string_view)> point;  // for tests that kill it there; may be empty
};

// Everything of `service` before a rollout can run; empty and an exit code when it cannot.
struct Opened {
  std::unique_ptr<Wiring> wiring;
  int exit_code = kOk;
};
[[nodiscard]] Opened open_session(RolloutSession& session, App& app, const std::string& service,
                                  core::Intent intent, Sources sources = Sources::required);

// A new rollout; the plan is confirmed. Sets exit_code.
Task<void> run_new(RolloutSession* session, core::Plan plan, engine::RecentPreflights preflights);
// Takes over a rollout that was cut off and ends it. Sets exit_code.
Task<void> run_again(RolloutSession* session, std::string rollout);
// Rollouts of these services that have not ended: cut off, because we hold their file locks.
[[nodiscard]] std::vector<ports::RolloutRow> cut_off(ports::Journal& journal,
                                                     const std::vector<std::string>& services);
// Sends what an earlier session owed when it was cut off between end and notification; sets
// exit_code to that of the last such rollout.
Task<void> send_what_is_due(RolloutSession* session, std::string service);

}  // namespace hitless::cli
