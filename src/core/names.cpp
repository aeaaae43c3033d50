#include "core/names.hpp"

namespace hitless::core {

std::string_view to_string(PhaseName value) {
  switch (value) {
    case PhaseName::waiting:
      return "waiting";
    case PhaseName::preflight:
      return "preflight";
    case PhaseName::draining:
      return "draining";
    case PhaseName::drained:
      return "drained";
    case PhaseName::acting:
      return "acting";
    case PhaseName::verifying:
      return "verifying";
    case PhaseName::rejoining:
      return "rejoining";
    case PhaseName::soaking:
      return "soaking";
    case PhaseName::rolling_back:
      return "rolling_back";
    case PhaseName::done:
      return "done";
    case PhaseName::rolled_back:
      return "rolled_back";
    case PhaseName::quarantined:
      return "quarantined";
    case PhaseName::skipped:
      return "skipped";
  }
  return "?";
}

std::string_view to_string(EffectKind value) {
  switch (value) {
    case EffectKind::preflight:
      return "preflight";
    case EffectKind::recheck:
      return "recheck";
    case EffectKind::drain:
      return "drain";
    case EffectKind::confirm_out:
      return "confirm_out";
    case EffectKind::close_remaining:
      return "close_remaining";
    case EffectKind::install_config:
      return "install_config";
    case EffectKind::act:
      return "act";
    case EffectKind::rejoin:
      return "rejoin";
    case EffectKind::diagnose:
      return "diagnose";
    case EffectKind::open_incident:
      return "open_incident";
    case EffectKind::finish:
      return "finish";
  }
  return "?";
}

std::string_view to_string(Intent value) {
  switch (value) {
    case Intent::restart:
      return "restart";
    case Intent::reload:
      return "reload";
    case Intent::apply:
      return "apply";
    case Intent::reboot:
      return "reboot";
    case Intent::patch:
      return "patch";
  }
  return "?";
}

std::string_view to_string(Action value) {
  switch (value) {
    case Action::none:
      return "none";
    case Action::reload:
      return "reload";
    case Action::restart:
      return "restart";
    case Action::reboot:
      return "reboot";
  }
  return "?";
}

std::string_view to_string(TargetState value) {
  switch (value) {
    case TargetState::in:
      return "in";
    case TargetState::in_unhealthy:
      return "in_unhealthy";
    case TargetState::leaving:
      return "leaving";
    case TargetState::draining:
      return "draining";
    case TargetState::out:
      return "out";
    case TargetState::absent:
      return "absent";
    case TargetState::unknown:
      return "unknown";
  }
  return "?";
}

std::string_view to_string(ServiceVerdict value) {
  switch (value) {
    case ServiceVerdict::proven:
      return "proven";
    case ServiceVerdict::not_applied:
      return "not_applied";
    case ServiceVerdict::down:
      return "down";
    case ServiceVerdict::flapping:
      return "flapping";
    case ServiceVerdict::indeterminate:
      return "indeterminate";
  }
  return "?";
}

std::string_view to_string(RolloutResult value) {
  switch (value) {
    case RolloutResult::succeeded:
      return "succeeded";
    case RolloutResult::rolled_back:
      return "rolled_back";
    case RolloutResult::human_needed:
      return "human_needed";
    case RolloutResult::blocked:
      return "blocked";
    case RolloutResult::aborted:
      return "aborted";
  }
  return "?";
}

std::string_view to_string(OutcomeStatus value) {
  switch (value) {
    case OutcomeStatus::ok:
      return "ok";
    case OutcomeStatus::failed:
      return "failed";
    case OutcomeStatus::unknown:
      return "unknown";
  }
  return "?";
}

std::string_view to_string(CheckStatus value) {
  switch (value) {
    case CheckStatus::pass:
      return "pass";
    case CheckStatus::warn:
      return "warn";
    case CheckStatus::fail:
      return "fail";
    case CheckStatus::unknown:
      return "unknown";
  }
  return "?";
}

std::string_view to_string(Direction value) {
  return value == Direction::forward ? "forward" : "backward";
}

std::string_view to_string(OperatorWish value) {
  switch (value) {
    case OperatorWish::stop:
      return "stop";
    case OperatorWish::abort:
      return "abort";
    case OperatorWish::pause:
      return "pause";
    case OperatorWish::resume:
      return "resume";
    case OperatorWish::force_drain:
      return "force_drain";
  }
  return "?";
}

Intent intent_named(std::string_view word) {
  for (const Intent intent : {Intent::reload, Intent::apply, Intent::reboot, Intent::patch}) {
    if (to_string(intent) == word) return intent;
  }
  return Intent::restart;
}

}  // namespace hitless::core
