// incident_open: an agent calls a person, through the receivers that rollouts tell too.
#include <boost/json/array.hpp>

#include "agent/tools/schema.hpp"
#include "base/text.hpp"
#include "cli/notifying.hpp"
#include "cli/opened_incidents.hpp"
#include "cli/tools.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Answer;

Result<OpenedIncident> opened(const App& app, OpenedIncident wanted) {
  auto journal = open_journal(app, true);
  if (!journal) return tl::unexpected<Error>(journal.error());
  auto incident = open_incident(**journal, std::move(wanted), wall_now_ms());
  if (!incident) return incident;
  if (Status ok = (*journal)->close(); !ok) return tl::unexpected<Error>(ok.error());
  return incident;
}

Task<Answer> incident_open(ToolWorld* world, json::object arguments, agent::Caller caller) {
  const std::string service = text_of(arguments, "service");
  auto fleet = co_await world->fleets.get(&world->app, FleetCache::Age::new_read);
  if (!fleet) co_return tl::unexpected<Error>(fleet.error());
  if ((*fleet)->service(service) == nullptr)
    co_return fail(ErrorCode::not_found, "there is no service " + escape_for_terminal(service), {},
                   "fleet_list names them");
  const std::vector<std::string> ids = texts_of(arguments, "evidence_ids");
  auto found = find_evidence(*world, ids);
  if (!found) co_return tl::unexpected<Error>(found.error());
  OpenedIncident wanted;
  wanted.service = service;
  wanted.summary = escape_for_terminal(redact(text_of(arguments, "summary")));
  wanted.by = caller.name + " for " + caller.for_whom;
  for (const std::string& id : ids) {
    const auto evidence = found->find(id);
    if (evidence == found->end())
      co_return fail(ErrorCode::invalid, "no evidence has the id " + escape_for_terminal(id), {},
                     "cite ids that the read tools gave you");
    wanted.evidence.push_back(evidence->second);
  }
  auto sinks = wire_sinks(**fleet);
  if (!sinks) co_return tl::unexpected<Error>(sinks.error());
  auto incident = opened(world->app, std::move(wanted));
  if (!incident) co_return tl::unexpected<Error>(incident.error());
  SendReport sent;
  if (!incident->told) {
    sent = co_await send_all(world->app, &*sinks, opened_notification(*incident));
    auto journal = open_journal(world->app, true);
    if (journal && mark_told(**journal, *incident)) (void)(*journal)->close();
  }
  co_return json::object{{"incident_id", incident->id},
                         {"state", incident->known_before ? "open_before" : "opened"},
                         {"told", list_of(sent.lines)}};
}

}  // namespace

void add_incident_tools(agent::Registry& registry, ToolWorld* world) {
  registry.add({"incident_open",
                "Call a person",
                "Open an incident of a service with evidence for it. It notifies the people that "
                "rollouts notify, so: only for what needs a person now; two an hour. It changes "
                "nothing else.",
                agent::Level::propose,
                {false, false, true, true},
                agent::schema_of(R"({"type":"object","additionalProperties":false,
                  "required":["service","summary","evidence_ids"],"properties":{
                  "service":{"type":"string","minLength":1,"maxLength":128},
                  "summary":{"type":"string","minLength":10,"maxLength":200,
                    "description":"One line: what is wrong, and with what"},
                  "evidence_ids":{"type":"array","minItems":1,"maxItems":20,
                    "items":{"type":"string","maxLength":32}}}})"),
                agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
                  "incident_id":{"type":"string"},
                  "state":{"type":"string","enum":["opened","open_before"]},
                  "told":{"type":"array","items":{"type":"string"}}}})"),
                [world](json::object arguments, agent::Caller caller) {
                  return incident_open(world, std::move(arguments), std::move(caller));
                }});
}

}  // namespace hitless::cli
