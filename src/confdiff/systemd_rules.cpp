// What a change of a unit's setting takes; meant to be read and corrected.
#include <algorithm>
#include <array>

#include "confdiff/systemd_unit.hpp"

namespace hitless::confdiff {
namespace {

constexpr ChangeClass N = ChangeClass::none, R = ChangeClass::reload, W = ChangeClass::reload_watch,
                      S = ChangeClass::restart, H = ChangeClass::human_only;

template <std::size_t Size>
bool is_in(std::string_view key, const std::array<std::string_view, Size>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

constexpr std::array<std::string_view, 16> kDependencies = {"Requires",
                                                            "Requisite",
                                                            "Wants",
                                                            "BindsTo",
                                                            "PartOf",
                                                            "Upholds",
                                                            "Conflicts",
                                                            "Before",
                                                            "After",
                                                            "OnFailure",
                                                            "OnSuccess",
                                                            "PropagatesReloadTo",
                                                            "ReloadPropagatedFrom",
                                                            "PropagatesStopTo",
                                                            "StopPropagatedFrom",
                                                            "JoinsNamespaceOf"};

// Read by systemd when the time comes, so a daemon-reload is enough.
constexpr std::array<std::string_view, 20> kManagerOnly = {"Restart",
                                                           "RestartSec",
                                                           "TimeoutStopSec",
                                                           "TimeoutSec",
                                                           "TimeoutStartSec",
                                                           "TimeoutAbortSec",
                                                           "ExecReload",
                                                           "ExecStop",
                                                           "ExecStopPost",
                                                           "SuccessExitStatus",
                                                           "RestartPreventExitStatus",
                                                           "RestartForceExitStatus",
                                                           "StartLimitIntervalSec",
                                                           "StartLimitBurst",
                                                           "StartLimitAction",
                                                           "RuntimeMaxSec",
                                                           "TimeoutStartFailureMode",
                                                           "TimeoutStopFailureMode",
                                                           "RestartSteps",
                                                           "RestartMaxDelaySec"};

// Set in the cgroup of the running unit by a daemon-reload.
constexpr std::array<std::string_view, 13> kResources = {
    "CPU",          "Memory",    "IO",           "Tasks",       "Allowed",    "Startup", "BlockIO",
    "IPAccounting", "IPAddress", "DevicePolicy", "DeviceAllow", "ManagedOOM", "Slice"};

constexpr std::array<std::string_view, 5> kStopping = {
    "KillSignal", "RestartKillSignal", "SendSIGKILL", "SendSIGHUP", "FinalKillSignal"};

UnitRule service_rule(std::string_view key) {
  if (key == "KillMode") return {H, H, H, Topic::process, "which processes a stop kills"};
  if (is_in(key, kStopping)) return {W, W, W, Topic::process, "how the running service is stopped"};
  if (is_in(key, kManagerOnly)) return {R, R, R, Topic::process, "daemon-reload alone applies it"};
  if (key == "Environment" || key == "EnvironmentFile" || key == "PassEnvironment" ||
      key == "UnsetEnvironment") {
    return {S, S, S, Topic::env, "a running process keeps its environment"};
  }
  if (key == "Slice") return {S, S, S, Topic::process, "a running process keeps its slice"};
  for (const auto prefix : kResources) {
    if (key.starts_with(prefix)) return {R, R, R, Topic::process, "daemon-reload alone applies it"};
  }
  return {S, S, S, Topic::process, "a running process keeps what it was started with"};
}

UnitRule general_rule(std::string_view key) {
  if (key == "Description" || key == "Documentation" || key == "SourcePath")
    return {N, N, N, Topic::layout, "text only"};
  if (is_in(key, kDependencies)) return {W, H, H, Topic::process, "what starts and stops together"};
  if (is_in(key, kManagerOnly) || key.starts_with("Condition") || key.starts_with("Assert") ||
      key == "CollectMode" || key == "JobTimeoutSec") {
    return {R, R, R, Topic::process, "daemon-reload alone applies it"};
  }
  if (key.starts_with("Refuse") || key == "StopWhenUnneeded" || key == "DefaultDependencies" ||
      key == "RequiresMountsFor") {
    return {H, H, H, Topic::process, "what starts and stops together"};
  }
  return {S, S, S, Topic::unknown, "no rule for this setting"};
}

}  // namespace

UnitRule unit_rule(std::string_view section, std::string_view key) {
  if (key.starts_with("X-") || section.starts_with("X-"))
    return {N, N, N, Topic::layout, "ignored by systemd"};
  if (section == "Install") return {N, N, N, Topic::layout, "only systemctl enable reads it"};
  if (section == "Unit") return general_rule(key);
  if (section == "Service") return service_rule(key);
  if (section == "Timer") return {W, W, W, Topic::process, "when the unit is started"};
  if (section == "Socket") {
    if (key.starts_with("Listen")) return {S, H, H, Topic::listen, "a socket that is listened on"};
    return {S, S, S, Topic::process, "an open socket keeps its settings"};
  }
  return {S, S, S, Topic::unknown, "no rule for this section"};
}

bool is_unit_list(std::string_view section, std::string_view key) {
  if (section == "Install" || section == "Timer") return true;
  if (is_in(key, kDependencies) || key.starts_with("Condition") || key.starts_with("Assert"))
    return true;
  if (section == "Unit") return key == "Documentation" || key == "RequiresMountsFor";
  if (section == "Socket") return key.starts_with("Listen") || key.starts_with("Exec");
  static constexpr std::array<std::string_view, 26> lists = {"Environment",
                                                             "EnvironmentFile",
                                                             "PassEnvironment",
                                                             "UnsetEnvironment",
                                                             "SuccessExitStatus",
                                                             "RestartPreventExitStatus",
                                                             "RestartForceExitStatus",
                                                             "ReadWritePaths",
                                                             "ReadOnlyPaths",
                                                             "InaccessiblePaths",
                                                             "ExecPaths",
                                                             "NoExecPaths",
                                                             "BindPaths",
                                                             "BindReadOnlyPaths",
                                                             "TemporaryFileSystem",
                                                             "SystemCallFilter",
                                                             "RestrictAddressFamilies",
                                                             "CapabilityBoundingSet",
                                                             "AmbientCapabilities",
                                                             "SupplementaryGroups",
                                                             "DeviceAllow",
                                                             "IPAddressAllow",
                                                             "IPAddressDeny",
                                                             "LoadCredential",
                                                             "SetCredential",
                                                             "Sockets"};
  return key.starts_with("Exec") || is_in(key, lists);
}

}  // namespace hitless::confdiff
