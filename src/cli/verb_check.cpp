// check: is the fleet file right? Offline first; then, unless --offline, whether the load balancers
// know the pools and servers that it names. People read it on stderr; with --json one object on
// stdout says the same, for editors and CI.
#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/load.hpp"
#include "cli/wiring.hpp"
#include "engine/traffic_ops.hpp"

namespace hitless::cli {
namespace {

struct Live {  // what the load balancers said
  std::vector<std::string> absent, unreachable;
};

// Asks the load balancers of one service.
Task<void> check_live(const App* app, const Wiring* wiring, Live* live) {
  const engine::FullReading reading = co_await engine::read_traffic(&wiring->parts, {});
  for (const core::TargetReport& report : reading.reports) {
    if (report.admin == core::AdminState::absent) {
      const Error error{ErrorCode::not_found,
                        report.instance.value + " is not in " + report.pool + " on " + report.node +
                            ": " + report.note,
                        {},
                        "compare `pools:` with the load balancer's configuration"};
      print_error(*app, error);
      live->absent.push_back(error.what);
    } else if (report.admin == core::AdminState::unknown) {
      const std::string what = wiring->parts.name + ": " + report.node +
                               " could not be asked about " + report.instance.value + ": " +
                               report.note;
      fmt::print(stderr, "{} {}\n", app->err.paint(Ink::warn, app->err.warning()),
                 app->err.plain(escape_for_terminal(what)));
      live->unreachable.push_back(what);
    }
  }
}

std::string json_list(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(journal::quote_json(text));
  return "[" + join(quoted, ",") + "]";
}

std::string json_of(const fleet::Diagnostic& found) {
  return fmt::format(
      R"({{"code":{},"severity":"{}","message":{},"file":{},"line":{},"column":{},"length":{},)"
      R"("label":{},"notes":{},"help":{}}})",
      journal::quote_json(found.code),
      found.severity == fleet::Severity::error ? "error" : "warning",
      journal::quote_json(found.message), journal::quote_json(found.file), found.line, found.column,
      found.length, journal::quote_json(found.label), json_list(found.notes),
      journal::quote_json(found.help));
}

void print_json(bool good, const std::vector<fleet::Diagnostic>& findings, const Live& live) {
  std::vector<std::string> all;
  for (const fleet::Diagnostic& found : findings) all.push_back(json_of(found));
  fmt::print(R"({{"format_version":1,"good":{},"findings":[{}],"absent":{},"not_asked":{}}})"
             "\n",
             good, join(all, ","), json_list(live.absent), json_list(live.unreachable));
}

}  // namespace

int verb_check(App& app) {
  std::vector<fleet::Diagnostic> findings;
  Live live;
  auto fleet = load_fleet_or_complain(app, &findings);
  if (!fleet) {
    if (app.options.json) print_json(false, findings, live);
    return kConfig;
  }
  std::size_t instances = 0;
  for (const auto& [name, service] : fleet->services) {
    instances += service.instances.size();
    auto wiring = wire(*fleet, name);
    if (!wiring) return failed(app, wiring.error(), kConfig);
    if (app.options.offline) continue;
    run_with(std::move(*wiring), [&](Wiring* w) { return check_live(&app, w, &live); });
  }
  if (app.options.json) print_json(live.absent.empty(), findings, live);
  if (!live.absent.empty()) return kConfig;
  if (app.options.json) return kOk;
  std::string note = app.options.offline ? ", load balancers not asked (--offline)"
                                         : ", all pools and servers known to the load balancers";
  if (!live.unreachable.empty())
    note = ", but some load balancers could not be asked (`hitless doctor` says why)";
  fmt::print("{} {}: {} service{}, {} instance{}{}\n", app.out.paint(Ink::good, app.out.tick()),
             escape_for_terminal(fleet->file), fleet->services.size(),
             fleet->services.size() == 1 ? "" : "s", instances, instances == 1 ? "" : "s", note);
  return kOk;
}

}  // namespace hitless::cli
