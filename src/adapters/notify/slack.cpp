#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <deque>

#include "adapters/notify/delivery.hpp"
#include "base/text.hpp"

namespace hitless::notify {
namespace {

namespace json = boost::json;

// Slack's own limits, of characters; we count bytes, which is never more.
constexpr std::size_t max_header_bytes = 150;
constexpr std::size_t max_section_bytes = 2900;
constexpr std::size_t max_field_bytes = 500;
constexpr std::size_t max_block_fields = 10;
constexpr std::size_t max_remembered_keys = 1000;
constexpr std::size_t max_upload_bytes = 64 << 20;

// Slack's markup: with these three escaped nothing in the text can mention people or make links.
std::string mrkdwn(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

const char* sign_of(ports::NotificationKind kind) {
  switch (kind) {
    case ports::NotificationKind::started:
      return "▶";
    case ports::NotificationKind::succeeded:
      return "✔";
    case ports::NotificationKind::failed:
      return "✖";
    case ports::NotificationKind::test:
      return "·";
  }
  return "";
}

json::object message_of(const ports::Notification& n) {
  const std::string title = fmt::format("{} {}", sign_of(n.kind), n.title);
  json::array blocks;
  blocks.push_back(
      {{"type", "header"},
       {"text", {{"type", "plain_text"}, {"text", truncate_utf8(title, max_header_bytes)}}}});
  if (!n.text.empty()) {
    // In a code block, where only the fence itself could end it.
    std::string text = mrkdwn(truncate_utf8(n.text, max_section_bytes / 2));
    for (auto at = text.find("```"); at != std::string::npos; at = text.find("```"))
      text.replace(at, 3, "'''");
    blocks.push_back(
        {{"type", "section"},
         {"text",
          {{"type", "mrkdwn"}, {"text", "```" + truncate_utf8(text, max_section_bytes) + "```"}}}});
  }
  json::array fields;
  for (const auto& [name, value] : n.fields) {
    if (fields.size() == max_block_fields) break;
    const std::string text = fmt::format("*{}*\n{}", mrkdwn(truncate_utf8(name, 100)),
                                         mrkdwn(truncate_utf8(value, max_field_bytes)));
    fields.push_back({{"type", "mrkdwn"}, {"text", text}});
  }
  if (!fields.empty()) blocks.push_back({{"type", "section"}, {"fields", fields}});
  const std::string context = mrkdwn(fmt::format(
      "{} · {} · by {}", n.rollout.empty() ? n.incident : n.rollout, n.service, n.actor));
  blocks.push_back(
      {{"type", "context"}, {"elements", json::array{{{"type", "mrkdwn"}, {"text", context}}}}});
  return {{"text", mrkdwn(title)}, {"blocks", blocks}};
}

std::string form_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

using ApiAnswer = tl::expected<json::object, ports::DeliveryFailure>;

class Slack final : public ports::Sink {
 public:
  explicit Slack(SlackConfig config) : config_(std::move(config)) {}
  std::string name() const override { return config_.options.name; }
  bool required() const override { return config_.options.required; }
  bool wants(ports::NotificationKind kind) const override {
    return wants_kind(config_.options, kind);
  }

  Task<Delivery> deliver(ports::Notification notification) override {
    notification = cleaned(std::move(notification));
    // When only an upload failed, the message is not posted again (by this process).
    if (std::find(posted_.begin(), posted_.end(), notification.key) == posted_.end()) {
      auto posted = co_await post_message(notification);
      if (!posted) co_return posted;
      posted_.push_back(notification.key);
      if (posted_.size() > max_remembered_keys) posted_.pop_front();
    }
    if (config_.token.empty()) co_return Delivery();
    for (const auto& attachment : notification.attachments) {
      auto uploaded = co_await upload(attachment, notification.title);
      if (!uploaded) co_return uploaded;
    }
    co_return Delivery();
  }

 private:
  std::vector<std::string> secrets() const { return {config_.webhook_url, config_.token}; }

  Task<Delivery> post_message(ports::Notification notification) {
    json::object message = message_of(notification);
    if (config_.webhook_url.empty()) {
      message["channel"] = config_.channel;
      const auto answer = co_await call("chat.postMessage", "application/json; charset=utf-8",
                                        json::serialize(message));
      if (!answer) co_return tl::unexpected(answer.error());
      co_return Delivery();
    }
    HttpRequest request;
    request.method = "POST";
    request.url = config_.webhook_url;
    request.headers = {"Content-Type: application/json"};
    request.body = json::serialize(message);
    const auto answer = co_await send_http(std::move(request), config_.options, secrets());
    if (!answer) co_return tl::unexpected(answer.error());
    if (trim(answer->body) != "ok") {
      co_return final_failure(ErrorCode::refused,
                              "Slack answered 200 but not `ok`: is this an incoming webhook?",
                              scheme_and_host(config_.webhook_url));
    }
    co_return Delivery();
  }

  // One method of the web API. HTTP 200 with "ok":false is a failure with Slack's word for it.
  Task<ApiAnswer> call(std::string method, std::string content_type, std::string body) {
    HttpRequest request;
    request.method = "POST";
    request.url = config_.api_url + "/" + method;
    request.headers = {"Content-Type: " + content_type, "Authorization: Bearer " + config_.token};
    request.body = std::move(body);
    const auto answer = co_await send_http(std::move(request), config_.options, secrets());
    if (!answer) co_return tl::unexpected(answer.error());
    json::error_code error;
    const auto tree = json::parse(answer->body, error);
    const auto* object = error ? nullptr : tree.if_object();
    const auto* ok = object == nullptr ? nullptr : object->if_contains("ok");
    if (ok != nullptr && ok->is_bool() && ok->get_bool()) co_return *object;
    co_return tl::unexpected(failure_of(method, object, *answer));
  }

  ports::DeliveryFailure failure_of(const std::string& method, const json::object* object,
                                    const HttpResponse& answer) const {
    static constexpr std::array<std::string_view, 6> passing = {
        "ratelimited", "rate_limited",        "internal_error",
        "fatal_error", "service_unavailable", "request_timeout"};
    const auto* word = object == nullptr ? nullptr : object->if_contains("error");
    const std::string name = word != nullptr && word->is_string()
                                 ? escape_for_terminal(truncate_utf8(word->get_string(), 80))
                                 : "no usable answer";
    const bool retry =
        object == nullptr || std::find(passing.begin(), passing.end(), name) != passing.end();
    std::string help;
    if (name == "not_in_channel") help = "invite the bot: /invite @bot in that channel";
    if (name == "channel_not_found") help = "give the channel's ID (C…), not its name";
    if (name == "missing_scope") help = "the token needs files:write";
    return {{retry ? ErrorCode::unavailable : ErrorCode::refused,
             fmt::format("Slack: {}: {}", method, name), scheme_and_host(config_.api_url), help},
            !retry,
            retry ? retry_after_of(answer) : std::nullopt};
  }

  Task<Delivery> upload(ports::Attachment attachment, std::string comment) {
    if (attachment.content.empty() || attachment.content.size() > max_upload_bytes)
      co_return Delivery();
    const std::string file_name = escape_for_terminal(attachment.name);
    const auto place = co_await call(
        "files.getUploadURLExternal", "application/x-www-form-urlencoded",
        fmt::format("filename={}&length={}", form_encode(file_name), attachment.content.size()));
    if (!place) co_return tl::unexpected(place.error());
    const auto* url = place->if_contains("upload_url");
    const auto* id = place->if_contains("file_id");
    // The bytes go only to where the API itself is reached as safely.
    const bool safe =
        url != nullptr && url->is_string() && id != nullptr && id->is_string() &&
        check_http_url(std::string_view(url->get_string()), "upload_url").has_value() &&
        (std::string_view(url->get_string()).starts_with("https://") ||
         config_.api_url.starts_with("http://"));
    if (!safe) {
      co_return final_failure(ErrorCode::refused, "Slack gave no usable upload_url",
                              scheme_and_host(config_.api_url));
    }
    HttpRequest request;
    request.method = "POST";
    request.url = std::string(url->get_string());
    request.headers = {"Content-Type: application/octet-stream"};
    request.body = std::move(attachment.content);
    const auto sent = co_await send_http(std::move(request), config_.options, secrets());
    if (!sent) co_return tl::unexpected(sent.error());
    const json::object complete{
        {"files", json::array{{{"id", id->get_string()}, {"title", file_name}}}},
        {"channel_id", config_.channel},
        {"initial_comment", mrkdwn(comment)}};
    const auto done = co_await call("files.completeUploadExternal",
                                    "application/json; charset=utf-8", json::serialize(complete));
    if (!done) co_return tl::unexpected(done.error());
    co_return Delivery();
  }

  SlackConfig config_;
  std::deque<std::string> posted_;
};

}  // namespace

Result<std::unique_ptr<ports::Sink>> make_slack(SlackConfig config) {
  if (config.webhook_url.empty() && config.token.empty()) {
    return fail(ErrorCode::invalid, "Slack needs `webhook_url`, or `token` and `channel`",
                config.options.name);
  }
  if (config.token.empty() != config.channel.empty()) {
    return fail(ErrorCode::invalid, "Slack needs `token` and `channel` together",
                config.options.name);
  }
  if (!config.webhook_url.empty()) {
    if (auto ok = check_http_url(config.webhook_url, "webhook_url"); !ok)
      return tl::unexpected(ok.error());
  }
  if (auto ok = check_http_url(config.api_url, "api_url"); !ok) return tl::unexpected(ok.error());
  return std::make_unique<Slack>(std::move(config));
}

}  // namespace hitless::notify
