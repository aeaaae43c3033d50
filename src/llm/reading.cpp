#include "llm/reading.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "llm/repair.hpp"

namespace hitless::llm {
namespace {

namespace json = boost::json;
using agent::Request;
using agent::Wish;

constexpr const char* kSystem =
    "You translate one request of a system administrator into one typed intent. Use only the names "
    "that you are given. If the request is not clearly one of the intents on one service, asks for "
    "several things, asks for something at another time or under a condition, or if you are not "
    "sure, the intent is none. hosts is empty for all hosts of the service.";

constexpr const char* kMayLook =
    " If the request names an instance by its state, you may look at the state first. Answer with "
    "the tool `intent`.";

constexpr Wish kWishes[] = {Wish::none,  Wish::restart, Wish::reload,   Wish::apply,
                            Wish::patch, Wish::reboot,  Wish::status,   Wish::out_of_rotation,
                            Wish::why,   Wish::history, Wish::incidents};

std::set<std::string> hosts_of(const agent::KnownFleet& fleet) {
  std::set<std::string> hosts;
  for (const agent::KnownService& each : fleet.services)
    hosts.insert(each.hosts.begin(), each.hosts.end());
  return hosts;
}

std::string schema(const agent::KnownFleet& fleet) {
  json::array wishes, services{""}, hosts;
  for (const Wish wish : kWishes) wishes.emplace_back(std::string(agent::to_string(wish)));
  for (const agent::KnownService& each : fleet.services) services.emplace_back(each.name);
  for (const std::string& host : hosts_of(fleet)) hosts.emplace_back(host);
  const json::object properties{
      {"intent", json::object{{"type", "string"}, {"enum", wishes}}},
      {"service", json::object{{"type", "string"}, {"enum", services}}},
      {"hosts", json::object{{"type", "array"},
                             {"items", json::object{{"type", "string"}, {"enum", hosts}}}}},
      {"at_once", json::object{{"type", json::array{"integer", "null"}}}}};
  return json::serialize(
      json::object{{"type", "object"},
                   {"properties", properties},
                   {"required", json::array{"intent", "service", "hosts", "at_once"}},
                   {"additionalProperties", false}});
}

std::string text_at(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

const agent::KnownService* known(const agent::KnownFleet& fleet, const std::string& name) {
  for (const agent::KnownService& each : fleet.services)
    if (each.name == name) return &each;
  return nullptr;
}

Status read_hosts(const json::object& whole, const agent::KnownFleet& fleet, Request& request) {
  const json::value* list = whole.if_contains("hosts");
  if (list == nullptr || !list->is_array()) return fail(ErrorCode::invalid, "hosts are missing");
  const agent::KnownService* service = known(fleet, request.service);
  for (const json::value& each : list->get_array()) {
    if (!each.is_string()) return fail(ErrorCode::invalid, "a host is no text");
    const std::string host(each.get_string());
    const bool there = service == nullptr ? hosts_of(fleet).contains(host)
                                          : std::find(service->hosts.begin(), service->hosts.end(),
                                                      host) != service->hosts.end();
    if (!there) return fail(ErrorCode::invalid, "a host does not have the service");
    if (std::find(request.hosts.begin(), request.hosts.end(), host) == request.hosts.end())
      request.hosts.push_back(host);
  }
  return {};
}

}  // namespace

Question reading_question(const std::string& words, const agent::KnownFleet& fleet) {
  Question question;
  question.system = kSystem;
  question.name = "intent";
  question.about = "The intent of the request.";
  question.schema = schema(fleet);
  std::string text = "Services and where they run:\n";
  for (const agent::KnownService& each : fleet.services) {
    text += "- " + each.name + " (";
    for (const std::string& alias : each.aliases) text += alias + " ";
    text += "):";
    for (const std::string& host : each.hosts) text += " " + host;
    text += "\n";
  }
  text += "Request: " + json::serialize(json::string(words)) +
          "\nAnswer as JSON of this schema, and with nothing else:\n" + question.schema + "\n";
  question.turns.push_back({false, std::move(text), {}});
  return question;
}

Result<Request> read_reading(const std::string& text, const agent::KnownFleet& fleet) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_object()) return fail(ErrorCode::invalid, "it is not a JSON object");
  const json::object& whole = parsed.get_object();
  Request request;
  const std::string wanted = text_at(whole, "intent");
  const auto* wish = std::find_if(std::begin(kWishes), std::end(kWishes),
                                  [&](Wish each) { return agent::to_string(each) == wanted; });
  if (wish == std::end(kWishes)) return fail(ErrorCode::invalid, "the intent is not in the list");
  request.wish = *wish;
  request.service = text_at(whole, "service");
  if (!request.service.empty() && known(fleet, request.service) == nullptr)
    return fail(ErrorCode::invalid, "there is no such service");
  if (agent::is_action(request.wish) && request.service.empty())
    return fail(ErrorCode::invalid, "the service is missing");
  if (Status hosts = read_hosts(whole, fleet, request); !hosts)
    return tl::unexpected<Error>(hosts.error());
  if (const json::value* at_once = whole.if_contains("at_once"); at_once && at_once->is_int64()) {
    if (at_once->get_int64() < 1 || at_once->get_int64() > 1'000)
      return fail(ErrorCode::invalid, "at_once is out of range");
    request.at_once = at_once->get_int64();
  }
  return request;
}

Task<Result<Request>> ask_reading(const Endpoint* endpoint, const std::string* words,
                                  const agent::KnownFleet* fleet, Budget* budget,
                                  const ToolBox* box) {
  Question question = reading_question(*words, *fleet);
  if (box != nullptr && !box->tools.empty()) question.system += kMayLook;
  std::string wrong;
  for (int turn = 0; turn <= kMaxRepairs; ++turn) {
    auto answer = co_await ask_with_tools(endpoint, &question, turn == 0 ? box : nullptr, budget);
    if (!answer) co_return tl::unexpected<Error>(answer.error());
    auto request = read_reading(answer->json(), *fleet);
    if (request) co_return request;
    wrong = request.error().what;
    add_repair(question, *answer, wrong);
  }
  co_return fail(ErrorCode::invalid, "the model's answer cannot be used: " + wrong);
}

}  // namespace hitless::llm
