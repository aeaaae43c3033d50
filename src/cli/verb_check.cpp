// check: is the fleet file right? Offline first; then, unless --offline, whether the load balancers
// know the pools and servers that it names.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/load.hpp"
#include "cli/wiring.hpp"
#include "engine/traffic_ops.hpp"

namespace hitless::cli {
namespace {

// Asks the load balancers of one service; returns how many targets they do not have.
Task<void> check_live(const App* app, const Wiring* wiring, int* absent, int* unreachable) {
  const engine::FullReading reading = co_await engine::read_traffic(&wiring->parts, {});
  for (const core::TargetReport& report : reading.reports) {
    if (report.admin == core::AdminState::absent) {
      ++*absent;
      print_error(*app, Error{ErrorCode::not_found,
                              report.instance.value + " is not in " + report.pool + " on " +
                                  report.node + ": " + report.note,
                              {},
                              "compare `pools:` with the load balancer's configuration"});
    } else if (report.admin == core::AdminState::unknown) {
      ++*unreachable;
      fmt::print(stderr, "{} {}: {} could not be asked about {}: {}\n",
                 app->err.paint(Ink::warn, app->err.warning()), wiring->parts.name, report.node,
                 report.instance.value, escape_for_terminal(report.note));
    }
  }
}

}  // namespace

int verb_check(App& app) {
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return kConfig;
  int absent = 0, unreachable = 0;
  std::size_t instances = 0;
  for (const auto& [name, service] : fleet->services) {
    instances += service.instances.size();
    auto wiring = wire(*fleet, name);
    if (!wiring) return failed(app, wiring.error(), kConfig);
    if (app.options.offline) continue;
    run_with(std::move(*wiring),
             [&](Wiring* w) { return check_live(&app, w, &absent, &unreachable); });
  }
  if (absent > 0) return kConfig;
  std::string note = app.options.offline ? ", load balancers not asked (--offline)"
                                         : ", all pools and servers known to the load balancers";
  if (unreachable > 0)
    note = ", but some load balancers could not be asked (`hitless doctor` says why)";
  fmt::print("{} {}: {} service{}, {} instances{}\n", app.out.paint(Ink::good, app.out.tick()),
             fleet->file, fleet->services.size(), fleet->services.size() == 1 ? "" : "s", instances,
             note);
  return kOk;
}

}  // namespace hitless::cli
