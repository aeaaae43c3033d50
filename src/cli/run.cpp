#include <cstdio>

#include "cli/app.hpp"

namespace hitless::cli {
namespace {

struct Verb {
  const char* name;
  int (*run)(App&);
};

constexpr Verb kVerbs[] = {
    {"check", verb_check},
    {"doctor", verb_doctor},
    {"plan", verb_plan},
    {"restart", verb_rollout},
    {"reload", verb_rollout},
    {"apply", verb_rollout},
    {"reboot", verb_rollout},
    {"patch", verb_rollout},
    {"status", verb_status},
    {"history", verb_history},
    {"show", verb_show},
    {"diff", verb_diff},
    {"incident", verb_incident},
    {"audit", verb_audit},
    {"explain", verb_explain},
    {"schema", verb_schema},
    {"completion", verb_completion},
    {"demo", verb_demo},
    {"resume", verb_resume},
    {"pause", verb_resume},
    {"abort", verb_resume},
    {"retry", verb_retry},
    {"rollback", verb_rollback},
    {"watch", verb_watch},
    {"report", verb_report},
    {"ask", verb_ask},
    {"approve", verb_approve},
    {"kill-switch", verb_kill_switch},
    {"mcp", verb_mcp},
};

}  // namespace

int run(int argc, char** argv) {
  Parsed parsed = parse_options(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  App app;
  app.options = std::move(*parsed.options);
  app.out = terminal_of(stdout, app.options.color);
  app.err = terminal_of(stderr, app.options.color);
  for (const Verb& verb : kVerbs) {
    if (app.options.verb == verb.name) return verb.run(app);
  }
  return kUsage;
}

}  // namespace hitless::cli
