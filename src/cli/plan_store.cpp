#include "cli/plan_store.hpp"

#include <algorithm>
#include <filesystem>

#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kIdDigits = 8;
constexpr std::string_view kPrefix = "P-";

std::string folder_of(const App& app) {
  return state_dir(app) + "/plans";
}

bool is_id(std::string_view text) {
  if (text.size() != kPrefix.size() + kIdDigits || !text.starts_with(kPrefix)) return false;
  return std::all_of(text.begin() + kPrefix.size(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void make_room(const std::string& folder) {
  std::error_code ignored;
  std::vector<std::pair<fs::file_time_type, fs::path>> plans;
  for (const auto& each : fs::directory_iterator(folder, ignored)) {
    if (each.path().extension() == ".plan")
      plans.emplace_back(each.last_write_time(ignored), each.path());
  }
  if (plans.size() < kMaxPlans) return;
  std::sort(plans.begin(), plans.end());
  plans.resize(plans.size() - kMaxPlans + 1);
  for (const auto& [at, path] : plans) fs::remove(path, ignored);
}

}  // namespace

std::string plan_id_of(const core::Plan& plan) {
  return std::string(kPrefix) + plan.hash.substr(0, kIdDigits);
}

Status keep_plan(const App& app, const SavedPlan& saved) {
  const std::string folder = folder_of(app);
  if (Status ok = make_private_dir(folder); !ok) return ok;
  make_room(folder);
  return write_durably(folder + "/" + plan_id_of(saved.plan) + ".plan", plan_file_text(saved));
}

Result<SavedPlan> find_plan(const App& app, const std::string& id) {
  if (!is_id(id))
    return fail(ErrorCode::invalid, "a plan's id looks like P-1a2b3c4d", {},
                "plan_create makes one");
  auto found = load_plan(folder_of(app) + "/" + id + ".plan");
  if (!found && found.error().code == ErrorCode::not_found)
    return fail(ErrorCode::not_found, "there is no plan " + id, {}, "plan_create makes one");
  return found;
}

std::string plan_path(const App& app, const std::string& named) {
  std::error_code ignored;
  if (!is_id(named) || fs::exists(named, ignored)) return named;
  return folder_of(app) + "/" + named + ".plan";
}

}  // namespace hitless::cli
