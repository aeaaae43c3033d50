// approve: somebody other than whoever asked for a plan lets it run, once.
#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/approvals.hpp"
#include "cli/confirm.hpp"
#include "cli/load.hpp"
#include "cli/plan_store.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

std::string words(const std::string& text) {
  return escape_for_terminal(truncate_utf8(text, 400));
}

void show(const App& app, const SavedPlan& saved) {
  const core::Plan& plan = saved.plan;
  const auto line = [](const char* name, const std::string& text) {
    if (!text.empty()) fmt::print(stderr, "  {:<12} {}\n", name, text);
  };
  fmt::print(stderr, "{} {}\n", app.err.paint(Ink::bold, words(plan.service)),
             core::to_string(plan.intent));
  line("asked by",
       words(saved.proposer) + (saved.for_whom.empty() ? "" : " for " + words(saved.for_whom)));
  line("why", words(saved.reason));
  line("change", words(plan.change_summary));
  std::string hosts;
  for (const core::InstancePlan& instance : plan.instances)
    if (instance.skip_reason.empty()) hosts += (hosts.empty() ? "" : ", ") + instance.host;
  line("instances", words(hosts.empty() ? "none" : hosts));
  line("floor", std::to_string(plan.policy.capacity.floor) + " serving, never fewer");
  line("made", format_duration(wall_now_ms() - saved.saved_at) + " ago");
  line("hash", plan.hash.substr(0, 16));
}

}  // namespace

int verb_approve(App& app) {
  const std::string path = plan_path(app, app.options.plan_file);
  auto saved = load_plan(path);
  if (!saved) return failed(app, saved.error());
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return kConfig;
  const fleet::Service* service = fleet->service(saved->plan.service);
  if (service == nullptr)
    return failed(app, Error{ErrorCode::not_found,
                             "service " + saved->plan.service + " is not in the fleet file",
                             fleet->file,
                             {}});
  show(app, *saved);
  if (auto code = confirm(app)) return *code;
  auto journal = open_journal(app, true);
  if (!journal) return failed(app, journal.error());
  auto given = approve(**journal, *saved, person_name(), service->policy.approve_own_agent);
  if (!given) return failed(app, given.error(), kBlocked);
  if (app.options.json) {
    fmt::print(R"({{"format_version":1,"plan_hash":{},"approver":{},"expires_at":{}}})"
               "\n",
               journal::quote_json(saved->plan.hash), journal::quote_json(given->approver),
               journal::quote_json(format_timestamp(given->expires_at)));
  } else {
    fmt::print("Approved by {} until {}, for one run.\nNext: hitless {} --plan {}\n",
               words(given->approver), format_clock(given->expires_at),
               core::to_string(saved->plan.intent), app.options.plan_file);
  }
  return kOk;
}

}  // namespace hitless::cli
