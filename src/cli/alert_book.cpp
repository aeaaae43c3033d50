#include "cli/alert_book.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxAlertsInBody = 1'000, kMaxLabels = 64, kMaxLabelBytes = 1'024;
constexpr std::size_t kMaxShown = 100;

tl::unexpected<Error> no_message(const char* why) {
  return fail(ErrorCode::invalid, std::string("no alerts of Alertmanager: ") + why);
}

std::optional<std::string> text_at(const json::object& from, const char* key) {
  const json::value* found = from.if_contains(key);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->get_string());
}

Result<Alert> alert_of(const json::value& value) {
  const json::object* from = value.if_object();
  if (from == nullptr) return no_message("an alert is no object");
  const auto status = text_at(*from, "status"), starts = text_at(*from, "startsAt");
  const json::value* labels = from->if_contains("labels");
  if (!status || (*status != "firing" && *status != "resolved"))
    return no_message("a status is neither firing nor resolved");
  if (!starts || starts->size() > kMaxLabelBytes) return no_message("startsAt is missing");
  if (labels == nullptr || !labels->is_object() || labels->get_object().size() > kMaxLabels)
    return no_message("labels are missing, or more than 64");
  Alert alert;
  alert.resolved = *status == "resolved";
  alert.starts_at = *starts;
  for (const auto& each : labels->get_object()) {
    const json::string* text = each.value().if_string();
    if (text == nullptr || text->size() > kMaxLabelBytes || each.key().size() > kMaxLabelBytes)
      return no_message("a label is no text of at most 1024 bytes");
    alert.labels[std::string(each.key())] = std::string(*text);
  }
  return alert;
}

// All labels, so that no two alerts are taken for one.
std::string identity_of(const Alert& alert) {
  std::string text;
  for (const auto& [name, value] : alert.labels)
    text += std::to_string(name.size()) + ":" + name + std::to_string(value.size()) + ":" + value;
  return sha256_hex(text);
}

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(redact(text), kMaxShown));
}

bool matches(const fleet::AlertRule& rule, const Alert& alert) {
  return std::all_of(rule.match.begin(), rule.match.end(), [&](const auto& wanted) {
    const auto found = alert.labels.find(wanted.first);
    return found != alert.labels.end() && found->second == wanted.second;
  });
}

// The instance that a label's value means: only ever one of those given.
const fleet::Instance* instance_of(const fleet::Service& service, const fleet::AlertRule& rule,
                                   const std::string& value) {
  for (const fleet::Instance& each : service.instances) {
    if (!rule.hosts.empty() &&
        std::find(rule.hosts.begin(), rule.hosts.end(), each.host) == rule.hosts.end())
      continue;
    const auto is = [&](const std::string& name) {
      const std::string with =
          (name.find(':') == std::string::npos ? name : "[" + name + "]") + ":";
      return !name.empty() &&
             (value == name ||
              (value.starts_with(with) && value.size() > with.size() &&
               value.find_first_not_of("0123456789", with.size()) == std::string::npos));
    };
    if (is(each.host) || is(each.address) || value == each.id) return &each;
  }
  return nullptr;
}

agent::Wish wish_named(const std::string& intent) {
  for (const agent::Wish wish : {agent::Wish::restart, agent::Wish::reload, agent::Wish::apply,
                                 agent::Wish::patch, agent::Wish::reboot})
    if (intent == agent::to_string(wish)) return wish;
  return agent::Wish::none;
}

std::string evidence_of(const fleet::AlertRule& rule, const Alert& alert) {
  std::string text = "an alert has been firing since " + shown(alert.starts_at) + ":";
  for (const auto& [name, value] : rule.match) text += " " + name + "=" + shown(value);
  const auto host = alert.labels.find(rule.host_label);
  if (host != alert.labels.end()) text += " " + rule.host_label + "=" + shown(host->second);
  return text;
}

}  // namespace

Result<AlertMessage> parse_alerts(std::string_view body) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 8;
  const json::value parsed = json::parse(body, error, {}, options);
  const json::object* message = parsed.if_object();
  if (error || message == nullptr) return no_message("the body is no JSON object");
  if (text_at(*message, "version") != "4") return no_message("its version is not \"4\"");
  const json::value* alerts = message->if_contains("alerts");
  if (alerts == nullptr || !alerts->is_array() || alerts->get_array().size() > kMaxAlertsInBody)
    return no_message("`alerts` is no list of at most 1000");
  AlertMessage made;
  if (const json::value* cut = message->if_contains("truncatedAlerts");
      cut != nullptr && cut->is_int64())
    made.cut_off = std::max<std::int64_t>(0, cut->get_int64());
  for (const json::value& each : alerts->get_array()) {
    auto alert = alert_of(each);
    if (!alert) return tl::unexpected<Error>(alert.error());
    made.alerts.push_back(std::move(*alert));
  }
  return made;
}

std::size_t AlertBook::take(const AlertMessage& message, TimeMs now) {
  std::size_t news = 0;
  cut_off_ = message.cut_off;
  for (const Alert& alert : message.alerts) {
    const std::string identity = identity_of(alert);
    const auto known = alerts_.find(identity);
    if (alert.resolved) {
      news += alerts_.erase(identity);
      continue;
    }
    if (known == alerts_.end() && alerts_.size() >= kMaxAlerts) {
      full_ = true;
      continue;
    }
    if (known == alerts_.end() || known->second.alert.starts_at != alert.starts_at) ++news;
    alerts_[identity] = {alert, now};
  }
  return news;
}

AlertBook::Called AlertBook::called_for(const fleet::Fleet& fleet, const std::string& only_service,
                                        TimeMs now) {
  Called called;
  std::erase_if(alerts_,
                [&](const auto& each) { return now - each.second.told_at > kForgottenMs; });
  if (full_) called.unknown.emplace_back("more alerts are firing than are kept (2000)");
  if (cut_off_ > 0)
    called.unknown.push_back("Alertmanager left out " + std::to_string(cut_off_) +
                             " alerts of its last message (max_alerts)");
  full_ = full_ && alerts_.size() >= kMaxAlerts;
  for (const auto& [identity, kept] : alerts_) {
    const auto rule =
        std::find_if(fleet.alerts.begin(), fleet.alerts.end(),
                     [&, &alert = kept.alert](const auto& each) { return matches(each, alert); });
    if (rule == fleet.alerts.end()) continue;
    const fleet::Service* service = fleet.service(rule->service);
    if (service == nullptr || (!only_service.empty() && only_service != rule->service)) continue;
    agent::Finding found;
    found.trigger = agent::Trigger::alert;
    found.rule = rule->name;
    found.instance = rule->service;
    found.occurrence = identity.substr(0, 32) + " " + shown(kept.alert.starts_at);
    found.evidence = evidence_of(*rule, kept.alert);
    found.proposal.wish = wish_named(rule->intent);
    found.proposal.service = rule->service;
    found.proposal.hosts = rule->hosts;
    if (!rule->host_label.empty()) {
      const auto label = kept.alert.labels.find(rule->host_label);
      const fleet::Instance* instance =
          label == kept.alert.labels.end() ? nullptr : instance_of(*service, *rule, label->second);
      if (instance == nullptr) {
        called.unknown.push_back("alert " + rule->name + ": its label " + rule->host_label +
                                 (label == kept.alert.labels.end()
                                      ? " is missing"
                                      : "=" + shown(label->second) + " is no host of " +
                                            rule->service + " that the rule means"));
        continue;
      }
      found.instance = instance->id;
      found.proposal.hosts = {instance->host};
    }
    found.proposal.reason = name_of(found) + ": " + found.evidence;
    called.findings.push_back(std::move(found));
  }
  return called;
}

}  // namespace hitless::cli
