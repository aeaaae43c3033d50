#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "adapters/notify/delivery.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace hitless::notify {
namespace {

namespace json = boost::json;

constexpr std::size_t max_inline_text_bytes = 256 << 10;  // longer ones, and binary ones, as base64
constexpr std::size_t max_attachment_bytes = 8 << 20;     // longer ones are named, not sent
constexpr std::string_view secret_prefix = "whsec_";

json::object attachment_json(const ports::Attachment& attachment) {
  json::object out{{"name", escape_for_terminal(attachment.name)},
                   {"media_type", escape_for_terminal(attachment.media_type)},
                   {"size", attachment.content.size()},
                   {"sha256", sha256_hex(attachment.content)}};
  if (attachment.content.size() > max_attachment_bytes) {
    out["encoding"] = "omitted";
  } else if (attachment.content.size() <= max_inline_text_bytes &&
             find_broken_utf8(attachment.content) == std::string_view::npos) {
    out["encoding"] = "text";
    out["content"] = attachment.content;
  } else {
    out["encoding"] = "base64";
    out["content"] = base64(attachment.content);
  }
  return out;
}

std::string body_of(const ports::Notification& n) {
  json::array fields;
  for (const auto& [name, value] : n.fields)
    fields.push_back(json::object{{"name", name}, {"value", value}});
  json::array attachments;
  for (const auto& attachment : n.attachments) attachments.push_back(attachment_json(attachment));
  const json::object data{
      {"key", n.key},         {"kind", name_of(n.kind)}, {"rollout", n.rollout},
      {"service", n.service}, {"result", n.result},      {"incident", n.incident},
      {"title", n.title},     {"text", n.text},          {"actor", n.actor},
      {"at", n.at},           {"fields", fields},        {"attachments", attachments}};
  return json::serialize(json::object{{"type", fmt::format("rollout.{}", name_of(n.kind))},
                                      {"timestamp", format_timestamp(n.at)},
                                      {"data", data}});
}

class Webhook final : public ports::Sink {
 public:
  Webhook(WebhookConfig config, std::vector<std::string> keys)
      : config_(std::move(config)), keys_(std::move(keys)) {}
  std::string name() const override { return config_.options.name; }
  bool required() const override { return config_.options.required; }
  bool wants(ports::NotificationKind kind) const override {
    return wants_kind(config_.options, kind);
  }

  Task<Delivery> deliver(ports::Notification notification) override {
    HttpRequest request;
    request.method = "POST";
    request.url = config_.url;
    request.headers = config_.headers;
    request.headers.push_back("Content-Type: application/json");
    request.body = body_of(cleaned(notification));
    // The key may hold any characters; its hash is as stable and safe in a header.
    const std::string id = "msg_" + sha256_hex(notification.key).substr(0, 32);
    const std::string timestamp = std::to_string(wall_now_ms() / 1000);
    request.headers.push_back("webhook-id: " + id);
    request.headers.push_back("webhook-timestamp: " + timestamp);
    const std::string content = id + "." + timestamp + "." + request.body;
    std::vector<std::string> signatures;
    for (const auto& key : keys_) signatures.push_back("v1," + hmac_sha256_base64(key, content));
    if (!signatures.empty())
      request.headers.push_back("webhook-signature: " + join(signatures, " "));
    auto secrets = config_.secrets;
    for (const auto& header : config_.headers) {
      secrets.emplace_back(
          trim(std::string_view(header).substr(std::min(header.size(), header.find(':') + 1))));
    }
    const auto answer = co_await send_http(std::move(request), config_.options, std::move(secrets));
    if (!answer) co_return tl::unexpected(answer.error());
    co_return Delivery();
  }

 private:
  WebhookConfig config_;
  std::vector<std::string> keys_;
};

}  // namespace

Result<std::unique_ptr<ports::Sink>> make_webhook(WebhookConfig config) {
  if (auto ok = check_http_url(config.url, "url"); !ok) return tl::unexpected(ok.error());
  std::vector<std::string> keys;
  for (const auto& secret : config.secrets) {
    if (secret.empty())
      return fail(ErrorCode::invalid, "the webhook's secret is empty", config.options.name);
    if (!secret.starts_with(secret_prefix)) {
      keys.push_back(secret);
      continue;
    }
    auto key = decode_base64(std::string_view(secret).substr(secret_prefix.size()));
    if (!key || key->empty()) {
      return fail(ErrorCode::invalid, "the webhook's secret is not base64 after `whsec_`",
                  config.options.name);
    }
    keys.push_back(std::move(*key));
  }
  return std::make_unique<Webhook>(std::move(config), std::move(keys));
}

}  // namespace hitless::notify
