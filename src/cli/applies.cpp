#include "cli/applies.hpp"

#include <filesystem>

#include "base/names.hpp"
#include "base/text.hpp"
#include "cli/plan_store.hpp"
#include "core/names.hpp"
#include "runtime/detached.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxLogBytes = 4u << 20;
constexpr std::size_t kMaxSaid = 1'500;

std::string log_of(const App& app, const std::string& rollout) {
  return state_dir(app) + "/applies/" + rollout + ".log";
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).string();
}

}  // namespace

std::optional<ApplyStatus> apply_status(const App& app, const std::string& rollout) {
  if (!check_identifier(rollout)) return std::nullopt;
  const std::string log = log_of(app, rollout);
  const auto text = read_if_there(log, kMaxLogBytes);
  if (text && !*text) return std::nullopt;
  ApplyStatus status;
  status.running = is_running(log);
  status.said = text ? **text : std::string("its log could not be read");
  if (status.said.size() > kMaxSaid) status.said.erase(0, status.said.size() - kMaxSaid);
  status.said = escape_for_terminal(redact(trim(status.said)), true);
  return status;
}

Status start_apply(const App& app, const SavedPlan& saved, const std::string& agent) {
  if (Status ok = check_identifier(saved.plan.rollout); !ok) return ok;
  if (Status ok = make_private_dir(state_dir(app) + "/applies"); !ok) return ok;
  const std::vector<std::string> argv = {"hitless",
                                         std::string(core::to_string(saved.plan.intent)),
                                         "--plan",
                                         plan_path(app, plan_id_of(saved.plan)),
                                         "--yes",
                                         "--no-input",
                                         "--progress",
                                         "plain",
                                         "--no-color",
                                         "--by-agent",
                                         agent,
                                         "--fleet",
                                         absolute(fleet_path(app)),
                                         "--state-dir",
                                         absolute(state_dir(app))};
  return start_ourselves_detached(argv, log_of(app, saved.plan.rollout), {"HITLESS_MCP_TOKEN", "HITLESS_ALERT_TOKEN"});
}

}  // namespace hitless::cli
