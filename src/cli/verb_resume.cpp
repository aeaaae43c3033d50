// pause, resume, abort: a word to a rollout that runs; resume and abort also take over one that was
// cut off.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/control.hpp"
#include "cli/pick_rollout.hpp"
#include "cli/rollout_session.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

core::OperatorWish wish_of(const std::string& verb) {
  if (verb == "pause") return core::OperatorWish::pause;
  return verb == "resume" ? core::OperatorWish::resume : core::OperatorWish::abort;
}

const char* promise(core::OperatorWish wish) {
  switch (wish) {
    case core::OperatorWish::pause:
      return "takes no further instance; what is in work comes back first. Next: hitless resume";
    case core::OperatorWish::resume:
      return "goes on. Next: hitless watch";
    default:
      return "stops and rolls back what it changed. Next: hitless watch";
  }
}

int take_over(App& app, const ports::RolloutRow& row, bool abort) {
  RolloutSession session;
  Opened opened =
      open_session(session, app, row.service, core::intent_named(row.intent), Sources::optional);
  if (opened.wiring == nullptr) return opened.exit_code;
  if (abort) session.wishes.push(core::OperatorWish::abort, actor_name());
  run_with(std::move(opened.wiring), [&](Wiring* w) {
    session.wiring = w;
    return run_again(&session, row.rollout);
  });
  return session.exit_code;
}

// Cut off between the end and the notification: telling is all that is left to do.
std::optional<int> send_what_is_left(App& app) {
  auto row = untold_rollout(app);
  if (!row) return std::nullopt;
  RolloutSession session;
  Opened opened =
      open_session(session, app, row->service, core::intent_named(row->intent), Sources::optional);
  if (opened.wiring == nullptr) return opened.exit_code;
  fmt::print("{} has ended: {}. Its notification was still due\n", row->rollout, row->result);
  run_with(std::move(opened.wiring), [&](Wiring* w) {
    session.wiring = w;
    return send_what_is_due(&session, row->service);
  });
  return session.exit_code;
}

}  // namespace

int verb_resume(App& app) {
  auto row = pick_rollout(app, Pick::unfinished);
  if (!row && app.options.verb == "resume") {
    if (auto code = send_what_is_left(app)) return *code;
  }
  if (!row) return failed(app, row.error());
  const core::OperatorWish wish = wish_of(app.options.verb);
  if (journal::ServiceLock::is_held(state_dir(app), row->service)) {
    if (Status sent = send_wish(state_dir(app), row->rollout, wish, actor_name()); !sent)
      return failed(app, sent.error());
    fmt::print("{} {} {}\n", row->rollout, promise(wish), row->rollout);
    return kOk;
  }
  if (wish == core::OperatorWish::pause) {
    return failed(app, Error{ErrorCode::refused,
                             row->rollout + " was cut off and does not run: nothing to pause",
                             {},
                             "`hitless resume " + row->rollout + "` ends it"});
  }
  return take_over(app, *row, wish == core::OperatorWish::abort);
}

}  // namespace hitless::cli
