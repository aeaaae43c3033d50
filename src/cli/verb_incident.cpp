#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <tuple>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/app.hpp"
#include "cli/card.hpp"
#include "cli/certificate_store.hpp"
#include "cli/claims.hpp"
#include "cli/evidence_store.hpp"
#include "cli/incident_report.hpp"
#include "cli/model_setup.hpp"
#include "cli/opened_incidents.hpp"
#include "cli/planned_run.hpp"

namespace hitless::cli {
namespace {

constexpr int kMaxRollouts = 10'000;

void print_json(const ports::RolloutRow& row, const std::string& report,
                const std::string& diagnosis, const std::string& claim = {}) {
  fmt::print(
      R"({{"format_version":1,"incident":{},"rollout":{},"service":{},"intent":{},"result":{},)"
      R"("reason":{},"started_at":"{}","report":{},"diagnosis":{},"claim":{}}})"
      "\n",
      journal::quote_json(row.incident), journal::quote_json(row.rollout),
      journal::quote_json(row.service), journal::quote_json(row.intent),
      journal::quote_json(row.result), journal::quote_json(row.reason),
      format_timestamp(row.started_at), report.empty() ? "null" : journal::quote_json(report),
      diagnosis.empty() ? "null" : diagnosis, claim.empty() ? "null" : claim);
}

int list_incidents(const App& app, const std::vector<ports::RolloutRow>& rows) {
  bool any = false;
  for (const ports::RolloutRow& row : rows) {
    if (row.incident.empty()) continue;
    any = true;
    if (app.options.json) {
      print_json(row, {}, {});
      continue;
    }
    fmt::print("{:<8} {:<20} {:<10} {:<10} {}\n", row.incident,
               format_timestamp(row.started_at).substr(0, 19) + "Z", row.rollout, row.service,
               app.out.plain(truncate_utf8(escape_for_terminal(row.reason), 60)));
  }
  if (!any && !app.options.json) fmt::print(stderr, "No incidents.\n");
  return kOk;
}

}  // namespace

namespace {

// Those of rollouts and those that agents opened, the newest first.
std::vector<ports::RolloutRow> with_opened(ports::Journal& journal,
                                           std::vector<ports::RolloutRow> rows) {
  for (const OpenedIncident& each : opened_incidents(journal)) rows.push_back(as_row(each));
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return std::tie(a.started_at, a.rollout) > std::tie(b.started_at, b.rollout);
  });
  return rows;
}

// Under the diagnosis by the rules, which stands whatever a model says. 1 when there was no answer
// that could be used.
int second_opinion(const App& app, std::vector<Case> cases) {
  auto endpoint = model_endpoint();
  if (!endpoint) return failed(app, endpoint.error(), kConfig);
  if (!*endpoint)
    return failed(app,
                  Error{ErrorCode::invalid,
                        "no model is set up",
                        {},
                        "set HITLESS_MODEL_URL "
                        "and HITLESS_MODEL (docs/models.md)"},
                  kUsage);
  int code = kOk;
  for (Case& each : cases) {
    auto opinion = opinion_of_model(app, **endpoint, each.kept.situation, each.kept.store);
    if (!opinion) {
      code =
          failed(app, Error{ErrorCode::failed,
                            "no second opinion on " + each.name + ": " + describe(opinion.error()),
                            {},
                            "the diagnosis by the rules stands"});
      continue;
    }
    if (app.options.json) {
      fmt::print("{{\"format_version\":1,\"model\":{},\"diagnosis\":{}}}\n",
                 journal::quote_json((*endpoint)->model),
                 cases_as_json({Case{each.name, each.kept, *opinion}}));
      continue;
    }
    fmt::print("\nSecond opinion, by the model {}, a proposal\n{}\n{}",
               app.out.plain(escape_for_terminal((*endpoint)->model)), each.name,
               app.out.plain(escape_for_terminal(agent::render(*opinion, each.kept.store), true)));
  }
  return code;
}

}  // namespace

int tell_incident(const App& app, ports::Journal& journal, const ports::RolloutRow& row) {
  auto found = replay(journal, row.rollout);
  if (!found) return failed(app, found.error());
  const auto certificate = get_certificate(journal, row.rollout);
  const std::string report =
      incident_report(found->state, found->entries, certificate, diagnose(journal, found->state));
  const std::vector<Case> cases = diagnosed_cases(journal, found->state);
  if (app.options.json) {
    const auto claim = get_claim(journal, row.rollout);
    print_json(row, report, cases_as_json(cases),
               claim ? boost::json::serialize(*claim) : std::string());
  } else {
    fmt::print("{}", app.out.plain(report));
    if (const auto asked = journal.get_fact(std::string(kAsked) + row.rollout);
        asked && !asked->empty())
      fmt::print("\nAsked for\n  {}\n", app.out.plain(escape_for_terminal(*asked)));
  }
  return app.options.second_opinion ? second_opinion(app, cases) : kOk;
}

int verb_incident(App& app) {
  auto journal = open_journal(app, false);
  if (!journal && journal.error().code == ErrorCode::not_found && app.options.id.empty())
    return list_incidents(app, {});
  if (!journal) return failed(app, journal.error());
  auto rows = (*journal)->rollouts(kMaxRollouts);
  if (!rows) return failed(app, rows.error());
  if (app.options.id.empty()) return list_incidents(app, with_opened(**journal, std::move(*rows)));
  for (const ports::RolloutRow& row : *rows) {
    if (row.incident != app.options.id) continue;
    return tell_incident(app, **journal, row);
  }
  if (const auto opened = find_opened(**journal, app.options.id)) {
    if (app.options.json)
      print_json(as_row(*opened), opened_text(*opened), {});
    else
      fmt::print("{}", app.out.plain(opened_text(*opened)));
    return kOk;
  }
  return failed(app, Error{ErrorCode::not_found,
                           "no incident `" + app.options.id + "`",
                           {},
                           "`hitless incident` lists them"});
}

}  // namespace hitless::cli
