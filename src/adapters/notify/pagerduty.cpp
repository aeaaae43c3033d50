#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "adapters/notify/delivery.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::notify {
namespace {

namespace json = boost::json;

constexpr std::size_t max_event_bytes = 500 << 10;  // PagerDuty takes 512 KB
constexpr std::size_t max_summary_bytes = 1024;
constexpr std::size_t max_dedup_key_bytes = 255;

json::object details_of(const ports::Notification& n) {
  json::object details{{"rollout", n.rollout},   {"service", n.service}, {"result", n.result},
                       {"incident", n.incident}, {"actor", n.actor},     {"text", n.text}};
  for (const auto& [name, value] : n.fields) details[name] = value;
  for (const auto& attachment : n.attachments) {
    details["sha256 of " + escape_for_terminal(attachment.name)] = sha256_hex(attachment.content);
  }
  return details;
}

json::object payload_of(const ports::Notification& n, const std::string& source) {
  return {{"summary", truncate_utf8(n.title, max_summary_bytes)},
          {"source", source},
          {"timestamp", format_timestamp(n.at)},
          {"custom_details", details_of(n)}};
}

// Repeats and a later resolve must carry the same key; a long one is replaced by its hash.
std::string dedup_key_of(const ports::Notification& n) {
  const std::string key = "hitless/" + n.key;
  return key.size() <= max_dedup_key_bytes ? key : "hitless/" + sha256_hex(n.key);
}

class PagerDuty final : public ports::Sink {
 public:
  explicit PagerDuty(PagerDutyConfig config) : config_(std::move(config)) {}
  std::string name() const override { return config_.options.name; }
  bool required() const override { return config_.options.required; }
  bool wants(ports::NotificationKind kind) const override {
    return wants_kind(config_.options, kind);
  }

  Task<Delivery> deliver(ports::Notification notification) override {
    const auto n = cleaned(std::move(notification));
    // The alert first: should the change event fail, at least somebody was called.
    if (n.kind == ports::NotificationKind::failed) {
      json::object payload = payload_of(n, config_.source);
      payload["severity"] = "error";
      payload["component"] = n.service;
      payload["class"] = "rollout";
      const json::object event{{"routing_key", config_.routing_key},
                               {"event_action", "trigger"},
                               {"dedup_key", dedup_key_of(n)},
                               {"client", "hitless"},
                               {"payload", payload}};
      auto alerted = co_await send(config_.alert_url, event);
      if (!alerted) co_return alerted;
    }
    co_return co_await send(config_.change_url,
                            json::object{{"routing_key", config_.routing_key},
                                         {"payload", payload_of(n, config_.source)}});
  }

 private:
  Task<Delivery> send(std::string url, json::object event) {
    HttpRequest request;
    request.method = "POST";
    request.url = std::move(url);
    request.headers = {"Content-Type: application/json"};
    request.body = json::serialize(event);
    if (request.body.size() > max_event_bytes) {
      event["payload"].as_object()["custom_details"] = json::object{{"note", "left out: too long"}};
      request.body = json::serialize(event);
    }
    const auto answer =
        co_await send_http(std::move(request), config_.options, {config_.routing_key});
    if (!answer) co_return tl::unexpected(answer.error());
    co_return Delivery();
  }

  PagerDutyConfig config_;
};

}  // namespace

Result<std::unique_ptr<ports::Sink>> make_pagerduty(PagerDutyConfig config) {
  if (config.change_url.empty()) config.change_url = config.url + "/v2/change/enqueue";
  if (config.alert_url.empty()) config.alert_url = config.url + "/v2/enqueue";
  for (const auto& [url, name] :
       {std::pair{config.change_url, "change_url"}, std::pair{config.alert_url, "alert_url"}})
    if (auto ok = check_http_url(url, name); !ok) return tl::unexpected(ok.error());
  if (config.routing_key.empty()) {
    return fail(ErrorCode::invalid, "PagerDuty needs a `routing_key`", config.options.name,
                "an Events API v2 integration key of the service");
  }
  return std::make_unique<PagerDuty>(std::move(config));
}

}  // namespace hitless::notify
