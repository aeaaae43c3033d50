// kill-switch engage | release | status.
#include "cli/kill_switch.hpp"

#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/approvals.hpp"
#include "cli/confirm.hpp"

namespace hitless::cli {
namespace {

int show(const App& app) {
  const KillSwitch now = read_kill_switch(state_dir(app));
  if (app.options.json) {
    fmt::print(R"({{"format_version":1,"engaged":{},"by":{},"reason":{},"at":{}}})"
               "\n",
               now.engaged, journal::quote_json(now.by), journal::quote_json(now.reason),
               now.at == 0 ? "null" : "\"" + format_timestamp(now.at) + "\"");
  } else {
    fmt::print("The kill switch is {}.\n", escape_for_terminal(describe(now)));
  }
  return now.engaged ? kBlocked : kOk;
}

}  // namespace

int verb_kill_switch(App& app) {
  const std::string folder = state_dir(app);
  if (app.options.kill_action == "status") return show(app);
  if (app.options.kill_action == "engage") {
    if (Status ok = engage_kill_switch(folder, person_name(), app.options.reason); !ok)
      return failed(app, ok.error());
    (void)show(app);
    fmt::print(stderr,
               "Rollouts stop at their next safe point, and no new one begins.\n"
               "Next: hitless status · hitless kill-switch release\n");
    return kOk;
  }
  if (!read_kill_switch(folder).engaged) {
    fmt::print("The kill switch is not engaged.\n");
    return kOk;
  }
  fmt::print(stderr, "The kill switch is {}.\n",
             escape_for_terminal(describe(read_kill_switch(folder))));
  if (auto code = confirm(app)) return *code;
  if (Status ok = release_kill_switch(folder); !ok) return failed(app, ok.error());
  fmt::print("Released. Next: hitless status\n");
  return kOk;
}

}  // namespace hitless::cli
