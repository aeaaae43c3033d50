#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/approvals.hpp"
#include "cli/hands.hpp"
#include "cli/load.hpp"
#include "cli/loaded_configs.hpp"
#include "cli/plan_file.hpp"
#include "cli/screen_plan.hpp"
#include "cli/waiting.hpp"
#include "cli/wiring.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

bool anything_to_do(const engine::PlanDraft& draft) {
  for (const core::InstancePlan& instance : draft.plan.instances) {
    if (instance.skip_reason.empty()) return true;
  }
  return false;
}

Task<void> make(const Wiring* wiring, engine::PlanOptions options, Result<engine::PlanDraft>* out) {
  *out = co_await engine::make_plan(&wiring->parts, std::move(options));
}

// Where the policy wants approvals: who asks is noted, because the file can be edited.
Status note(const App& app, const SavedPlan& saved) {
  auto journal = open_journal(app, true);
  if (!journal) return tl::unexpected<Error>(journal.error());
  if (Status ok = note_proposal(**journal, saved); !ok) return ok;
  return (*journal)->close();
}

int show(App& app, const std::vector<std::string>& pools, engine::PlanDraft draft,
         bool wants_approval) {
  draft.plan.hash = journal::hash_plan(draft.plan);
  const SavedPlan saved{draft.plan, draft.fingerprint, wall_now_ms(), person_name(), {}, {}, {}};
  std::string path =
      app.options.plan_file.empty() ? app.options.service + ".plan" : app.options.plan_file;
  const core::Check* blocking = draft.blocking();
  const bool floor_says_no = draft.no_room && anything_to_do(draft);
  const bool save = path != "-" && blocking == nullptr && !floor_says_no && anything_to_do(draft);
  if (save) {
    if (Status noted = wants_approval ? note(app, saved) : Status{}; !noted)
      return failed(app, noted.error());
    if (Status written = save_plan(path, saved); !written) return failed(app, written.error());
  }
  if (app.options.json) {
    fmt::print("{}", plan_file_text(saved));
  } else {
    fmt::print("{}", plan_screen(draft, pools, app.out, true));
    fmt::print("{}\n",
               save ? fmt::format("  Saved {} (valid 15m or until state moves)", path) : "");
  }
  std::fflush(stdout);  // the reason comes last, also where both streams are one
  if (blocking != nullptr) {
    fmt::print(stderr, "{} would not start: {}: {}\n", app.err.paint(Ink::bad, app.err.cross()),
               app.err.plain(escape_for_terminal(blocking->name)),
               app.err.plain(escape_for_terminal(blocking->evidence)));
    return kBlocked;
  }
  if (floor_says_no) {
    fmt::print(stderr,
               "{} would not start: the floor of {} leaves no instance to be taken out now\n",
               app.err.paint(Ink::bad, app.err.cross()), draft.plan.policy.capacity.floor);
    return kBlocked;
  }
  if (!anything_to_do(draft) && !app.options.json) fmt::print("Nothing to do.\n");
  if (!app.options.json && save)
    fmt::print("Next: hitless {} --plan {}\n", core::to_string(draft.plan.intent), path);
  return app.options.detailed_exitcode && anything_to_do(draft) ? kChangesPresent : kOk;
}

}  // namespace

int verb_plan(App& app) {
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return kConfig;
  const core::Intent intent = core::intent_named(app.options.intent);
  auto wiring = wire_for(*fleet, app.options.service, intent);
  if (!wiring) return failed(app, wiring.error(), kConfig);
  remember_loaded_configs(**wiring, state_dir(app));
  engine::PlanOptions options;
  options.intent = intent;
  options.if_needed = app.options.if_needed;
  options.packages = app.options.packages;
  options.without_way_back = app.options.without_way_back;
  options.limit = app.options.limit;
  options.canary = app.options.canary;
  options.at_once = app.options.at_once;
  if (auto journal = open_journal(app, false)) {  // none yet is fine
    add_left_out(**journal, **wiring);
  }
  const fleet::Autonomy autonomy = autonomy_of(*fleet, (*wiring)->service_names(), intent);
  Result<engine::PlanDraft> draft = fail(ErrorCode::internal, "no plan was made");
  const std::vector<std::string> pools = (*wiring)->pool_texts();
  Waiting waiting(app, looking_at(**wiring));
  run_with(std::move(*wiring), [&](Wiring* w) { return make(w, options, &draft); });
  waiting.done();
  if (!draft)
    return failed(app, draft.error(), draft.error().code == ErrorCode::invalid ? kUsage : kError);
  return show(app, pools, std::move(*draft), needs_of(autonomy, false) == Needs::approval);
}

}  // namespace hitless::cli
