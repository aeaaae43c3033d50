// check: is the fleet file right? Offline first; then, unless --offline, whether the load balancers
// know the pools and servers that it names. People read it on stderr; with --json one object on
// stdout says the same, for editors and CI.
#include <fmt/format.h>

#include <algorithm>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/load.hpp"
#include "cli/wiring.hpp"
#include "engine/traffic_ops.hpp"
#include "fleet/source.hpp"

namespace hitless::cli {
namespace {

struct Live {  // what the load balancers said
  std::vector<std::string> absent, unreachable;
  std::vector<fleet::Diagnostic> found;  // the absent ones, each at its place in the file
};

// The place in `pools:` that names what a load balancer does not have. Columns up to the end of
// the entry are marked, when it stands on one line.
std::optional<fleet::Diagnostic> at_its_place(const fleet::Service& service,
                                              const core::TargetReport& report,
                                              const std::string& suggestion) {
  const auto named =
      std::find_if(service.pools.begin(), service.pools.end(),
                   [&](const fleet::PoolRef& ref) { return ref.pool == report.pool; });
  if (named == service.pools.end() || named->mark.line == 0) return std::nullopt;
  fleet::Diagnostics ignored;
  fleet::Source source;
  if (!fleet::Source::read(named->mark.file, named->mark.file, ignored, source))
    return std::nullopt;
  const std::string_view line = source.line(named->mark.line);
  const auto from = static_cast<std::size_t>(named->mark.column - 1);
  const std::size_t end = line.find('}', from);
  const std::size_t length = end == std::string_view::npos
                                 ? trim(line.substr(std::min(from, line.size()))).size()
                                 : end + 1 - from;
  const bool no_pool = report.note.find("no backend") != std::string::npos;
  return source.error(no_pool ? "HL0401" : "HL0402",
                      {named->mark.line, named->mark.column, static_cast<int>(length)}, report.note,
                      suggestion);
}

void add_absent(const App& app, const fleet::Service& service, const core::TargetReport& report,
                const std::string& suggestion, Live* live) {
  const std::string what = report.instance.value + " is not in " + report.pool + " on " +
                           report.node + ": " + report.note;
  live->absent.push_back(what);
  auto found = at_its_place(service, report, suggestion);
  if (!found) {
    print_error(app, {ErrorCode::not_found,
                      what,
                      {},
                      "compare `pools:` with the load balancer's configuration"});
    return;
  }
  const bool said =
      std::any_of(live->found.begin(), live->found.end(),
                  [&](const fleet::Diagnostic& other) { return other.message == found->message; });
  if (!said) live->found.push_back(std::move(*found));
}

// Asks the load balancers of one service.
Task<void> check_live(const App* app, const fleet::Service* service, const Wiring* wiring,
                      Live* live) {
  const engine::FullReading reading = co_await engine::read_traffic(&wiring->parts);
  std::string suggestion;
  for (const auto& pool : wiring->pools) {
    const auto capabilities = co_await pool->capabilities();
    if (!capabilities && capabilities.error().code == ErrorCode::not_found)
      suggestion = capabilities.error().help;
  }
  for (const core::TargetReport& report : reading.reports) {
    if (report.admin == core::AdminState::absent) {
      add_absent(*app, *service, report, suggestion, live);
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
    run_with(std::move(*wiring), [&](Wiring* w) { return check_live(&app, &service, w, &live); });
  }
  if (!live.found.empty())
    std::fputs(app.err.plain(fleet::render(live.found, app.err.color)).c_str(), stderr);
  findings.insert(findings.end(), live.found.begin(), live.found.end());
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
