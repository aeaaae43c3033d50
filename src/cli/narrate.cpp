#include "cli/narrate.hpp"

#include <algorithm>

#include "base/time.hpp"
#include "core/capacity.hpp"
#include "core/instance_fsm.hpp"
#include "core/names.hpp"
#include "core/verdict.hpp"

namespace hitless::cli {
namespace {

using core::EffectKind;
using core::OutcomeStatus;
using core::PhaseName;

Mood mood_of(core::CheckStatus status) {
  switch (status) {
    case core::CheckStatus::pass:
      return Mood::good;
    case core::CheckStatus::warn:
      return Mood::warn;
    case core::CheckStatus::fail:
      return Mood::bad;
    case core::CheckStatus::unknown:
      return Mood::unknown;
  }
  return Mood::unknown;
}

const char* done_words(core::Action action) {
  switch (action) {
    case core::Action::restart:
      return "Service restarted";
    case core::Action::reboot:
      return "Host told to reboot";
    case core::Action::reload:
    case core::Action::none:
      break;
  }
  return "Service reloaded";
}

struct Teller {
  const core::Entry& entry;
  const core::State& before;
  const core::State& after;
  std::vector<Line> lines;

  void say(const core::InstanceId& id, std::string tag, std::string text, Mood mood = Mood::neutral,
           bool detail = false) {
    lines.push_back({entry.at, id.value.empty() ? "" : host_part(id), std::move(tag),
                     std::move(text), mood, detail});
  }

  [[nodiscard]] const core::Effect* effect_of(const std::string& id) const {
    if (before.pending && before.pending->effect.id == id) return &before.pending->effect;
    for (const core::Instance& instance : before.instances) {
      if (instance.pending && instance.pending->effect.id == id) return &instance.pending->effect;
    }
    return nullptr;
  }

  void operator()(const core::RolloutStarted& e) {
    std::string what = std::string(core::to_string(e.plan.intent)) + " of " + e.plan.service +
                       ", " + std::to_string(e.plan.instances.size()) + " instances, by " + e.actor;
    if (!e.plan.change_summary.empty()) what += ": " + e.plan.change_summary;
    say({}, "DIAGNOSE", what);
  }

  void operator()(const core::EffectIntended& e) {
    const core::Effect& effect = e.effect;
    const bool backward = effect.direction == core::Direction::backward;
    if (effect.kind == EffectKind::drain && !effect.reason.empty()) {
      say(effect.instance, "FIX", effect.reason, Mood::warn);
    } else if (effect.kind == EffectKind::install_config && backward) {
      const core::Instance* instance = core::find(after, effect.instance);
      std::string paths;
      if (instance != nullptr && instance->report) {
        for (const core::Backup& b : instance->report->backups) {
          paths +=
              (paths.empty() ? "" : ", ") + (b.existed ? b.backup_path : b.path + " (removed)");
        }
      }
      say(effect.instance, "FIX",
          after.plan.intent == core::Intent::patch ? "Going back to the old versions"
                                                   : "Restoring config: " + paths);
    } else if (effect.action == core::Action::reboot) {
      say(effect.instance, "FIX",
          "Rebooting " + host_part(effect.instance) + " (boot id " +
              effect.expected.boot_id.substr(0, 8) + "…)");
    } else if (effect.kind == EffectKind::act && backward) {
      say(effect.instance, "FIX",
          effect.action == core::Action::restart ? "Restarting with previous config..."
                                                 : "Reloading with previous config...");
    } else if (effect.kind == EffectKind::close_remaining) {
      say(effect.instance, "FIX", "Drain deadline: closing what is still in flight (policy force)",
          Mood::warn);
    } else if (effect.kind == EffectKind::diagnose) {
      say(effect.instance, "DIAGNOSE", "Checks fail; asking dependencies and unchanged instances");
    }
  }

  void operator()(const core::EffectFinished& e) {
    const core::Effect* effect = effect_of(e.effect_id);
    if (effect == nullptr) return;
    if (effect->kind == EffectKind::preflight) {
      tell_preflight(*effect, e.outcome);
    } else if (effect->kind == EffectKind::open_incident) {
      if (e.outcome.status == OutcomeStatus::ok)
        say({}, "FIX", "Incident created: " + e.outcome.incident, Mood::warn);
    } else if (effect->kind == EffectKind::finish) {
      tell_end(*effect);
    } else if (effect->kind == EffectKind::confirm_out &&
               e.outcome.status == OutcomeStatus::failed) {
      say(effect->instance, "FIX", e.outcome.detail + ": waiting on");
    } else if (effect->action == core::Action::reboot &&
               e.outcome.status == OutcomeStatus::unknown) {
      say(effect->instance, "FIX", "The connection is gone, as expected of a reboot");
    } else if (e.outcome.status != OutcomeStatus::ok) {
      const std::string how =
          e.outcome.status == OutcomeStatus::failed ? " failed: " : ": outcome unknown: ";
      say(effect->instance, "FIX",
          std::string(core::to_string(effect->kind)) + how + e.outcome.detail,
          e.outcome.status == OutcomeStatus::failed ? Mood::bad : Mood::unknown);
    } else {
      tell_success(*effect, e.outcome);
    }
  }

  // The same checklist again, all of it passing, is one line; the journal has each.
  [[nodiscard]] bool is_repeat(const core::PreflightReport& report) const {
    const bool earlier = std::any_of(before.instances.begin(), before.instances.end(),
                                     [](const core::Instance& i) { return i.report.has_value(); });
    return earlier &&
           std::all_of(report.checks.begin(), report.checks.end(),
                       [](const core::Check& c) { return c.status == core::CheckStatus::pass; });
  }

  void tell_preflight(const core::Effect& effect, const core::Outcome& outcome) {
    if (outcome.preflight && outcome.preflight->skip_reason.empty() &&
        is_repeat(*outcome.preflight)) {
      const std::string count = std::to_string(outcome.preflight->checks.size());
      std::string text = "Checklist: " + count + " of " + count + " pass";
      if (outcome.preflight->connections)
        text += ", " + std::to_string(*outcome.preflight->connections) + " active connections";
      say(effect.instance, "DIAGNOSE", std::move(text), Mood::good);
      return;
    }
    say(effect.instance, "DIAGNOSE",
        "Pre-" + std::string(core::to_string(after.plan.action)) + " checklist for " +
            after.plan.service + " on " + host_part(effect.instance) + ":");
    if (!outcome.preflight) {
      say(effect.instance, "DIAGNOSE", outcome.detail, Mood::bad, true);
      return;
    }
    for (const core::Check& check : outcome.preflight->checks) {
      std::string text = check.name + ": " + check.evidence;
      const bool helps =
          check.status == core::CheckStatus::fail || check.status == core::CheckStatus::unknown;
      if (helps && !check.help.empty()) text += " (" + check.help + ")";
      say(effect.instance, "DIAGNOSE", std::move(text), mood_of(check.status), true);
    }
  }

  void tell_success(const core::Effect& effect, const core::Outcome& outcome) {
    if (effect.kind == EffectKind::drain) {
      const auto deadline = after.plan.policy.drain.deadline_ms;
      say(effect.instance, "FIX",
          host_part(effect.instance) +
              " out of rotation, waiting for active connections to drain (timeout: " +
              format_duration(deadline) + ")");
    } else if (effect.kind == EffectKind::act) {
      const bool some = after.plan.intent == core::Intent::patch;
      say(effect.instance, "FIX",
          (some ? "Restarted what needs it (" + outcome.detail + ")"
                : std::string(done_words(effect.action))) +
              ", proof pending");
    } else if (effect.kind == EffectKind::install_config &&
               effect.direction == core::Direction::forward) {
      say(effect.instance, "FIX",
          after.plan.intent == core::Intent::patch ? "Installed: " + outcome.detail
                                                   : "New configuration installed");
    } else if (effect.kind == EffectKind::install_config && !outcome.detail.empty()) {
      say(effect.instance, "FIX", outcome.detail, Mood::warn);
    } else if (effect.kind == EffectKind::diagnose && outcome.diagnosis) {
      const core::Diagnosis& d = *outcome.diagnosis;
      const std::string dependency =
          d.dependency_down.empty() ? "dependencies are healthy" : d.dependency_down + " is down";
      say(effect.instance, "DIAGNOSE",
          dependency + ", " + std::to_string(d.peers_failing) + " of " +
              std::to_string(d.peers_checked) + " unchanged instances fail");
    }
  }

  void tell_end(const core::Effect& effect) {
    const core::DurationMs total = entry.at - after.started_at;
    switch (effect.result) {
      case core::RolloutResult::succeeded:
        say({}, "FIX", "Rollout complete. Total duration: " + format_duration(total), Mood::good);
        break;
      case core::RolloutResult::blocked:
        say({}, "DIAGNOSE", "Not started, nothing was touched", Mood::bad);
        break;
      case core::RolloutResult::aborted:
        say({}, "FIX", "Rollout stopped by the operator. Total duration: " + format_duration(total),
            Mood::warn);
        break;
      case core::RolloutResult::rolled_back:
      case core::RolloutResult::human_needed:
        say({}, "FIX",
            "Rollout ended: " + std::string(core::to_string(effect.result)) + ": " + effect.reason,
            Mood::bad);
        break;
    }
  }

  // Each thing that was proven on a line of its own.
  void tell_proof(const core::Advanced& e) {
    std::size_t at = 0;
    while (at <= e.reason.size()) {
      const std::size_t end = std::min(e.reason.find("; ", at), e.reason.size());
      say(e.instance, "FIX", e.reason.substr(at, end - at), Mood::good);
      at = end + 2;
    }
  }

  void operator()(const core::Advanced& e) {
    const core::Instance* instance = core::find(after, e.instance);
    if (instance == nullptr) return;
    const bool backward = instance->direction == core::Direction::backward;
    switch (e.to) {
      case PhaseName::drained:
        say(e.instance, "FIX",
            "Active connections: " + core::render_samples(instance->drain_samples), Mood::good);
        say(e.instance, "FIX", "Connection drain complete in " + seconds_text(instance->drain_ms));
        break;
      case PhaseName::rejoining:
        if (e.from == PhaseName::verifying) tell_proof(e);
        break;
      case PhaseName::soaking:
        say(e.instance, "FIX",
            host_part(e.instance) + " back in rotation after " + seconds_text(instance->back_ms) +
                (instance->reading && instance->reading->check == core::LbCheck::none
                     ? ": the load balancer does not check, "
                     : ": load balancer healthcheck PASSING, ") +
                e.reason,
            Mood::good);
        break;
      case PhaseName::done:
        say(e.instance, "FIX",
            e.from == PhaseName::rolling_back
                ? e.reason
                : host_part(e.instance) + " done: " + e.reason +
                      ". Duration: " + seconds_text(instance->ended_at - instance->started_at),
            e.from == PhaseName::rolling_back ? Mood::warn : Mood::good);
        break;
      case PhaseName::rolling_back:
        say(e.instance, "FIX", e.reason, Mood::bad);
        say(e.instance, "FIX", "Initiating automatic rollback...");
        break;
      case PhaseName::rolled_back:
        say(e.instance, "FIX", "Rollback successful: " + e.reason, Mood::good);
        break;
      case PhaseName::quarantined:
        say(e.instance, "FIX",
            std::string(seen_in(*instance) ? "QUARANTINED, still in rotation: "
                                           : "QUARANTINED, left out of rotation: ") +
                e.reason,
            Mood::bad);
        break;
      case PhaseName::skipped:
        say(e.instance, "DIAGNOSE", "skipped: " + e.reason, Mood::warn);
        break;
      case PhaseName::draining:
        if (backward && instance->taken_out)
          break;  // it is out already; the drain is only made sure of
        say(e.instance, "FIX",
            "Taking " + host_part(e.instance) + " out of rotation (" + e.reason + ")");
        break;
      case PhaseName::waiting:
      case PhaseName::preflight:
      case PhaseName::acting:
      case PhaseName::verifying:
        break;
    }
  }

  void operator()(const core::Halted& e) {
    say({}, "FIX", "Rollout halted: " + e.reason, e.blocked ? Mood::bad : Mood::warn);
  }
  void operator()(const core::OperatorAsked& e) {
    static constexpr const char* kWords[] = {"stop", "abort", "pause", "resume", "force the drain"};
    say({}, "FIX", e.actor + " asked to " + kWords[static_cast<int>(e.wish)], Mood::warn);
  }
  void operator()(const core::ControllerTookOver& e) {
    say({}, "DIAGNOSE", "taken over by " + e.actor, Mood::warn);
  }
  void operator()(const core::Noted& e) { say(e.instance, "FIX", e.text); }
  void operator()(const core::TrafficSeen&) {}
  void operator()(const core::ServiceSeen&) {}
  void operator()(const core::HealthSeen&) {}
};

}  // namespace

std::vector<Line> narrate(const core::Entry& entry, const core::State& before,
                          const core::State& after) {
  Teller teller{entry, before, after, {}};
  std::visit(teller, entry.event);
  return std::move(teller.lines);
}

std::string host_part(const core::InstanceId& id) {
  const std::size_t at = id.value.find('@');
  return at == std::string::npos ? id.value : id.value.substr(at + 1);
}

std::string seconds_text(core::DurationMs ms) {
  return format_duration(ms);
}

bool seen_in(const core::Instance& instance) {
  if (!instance.reading) return false;
  const core::TargetState state = instance.reading->state;
  return state == core::TargetState::in || state == core::TargetState::in_unhealthy;
}

}  // namespace hitless::cli
