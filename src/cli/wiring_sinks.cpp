#include "adapters/notify/notify.hpp"
#include "cli/wiring.hpp"

namespace hitless::cli {
namespace {

// What a missing variable or file means is said with the sink's name and place.
Result<std::string> reveal(const fleet::Notification& from, const fleet::Secret& secret) {
  if (secret.empty()) return std::string();
  auto value = secret.reveal();
  if (value) return value;
  Error error = value.error();
  error.what = "notification " + from.name + ": " + error.what;
  if (error.where.empty())
    error.where = from.mark.file + ":" + std::to_string(from.mark.line) + ":" +
                  std::to_string(from.mark.column);
  return tl::unexpected<Error>(error);
}

notify::SinkOptions options_of(const fleet::Notification& from) {
  notify::SinkOptions options;
  options.name = from.name;
  options.required = from.required;
  options.on = {ports::NotificationKind::test};
  if (from.on_started) options.on.push_back(ports::NotificationKind::started);
  if (from.on_succeeded) options.on.push_back(ports::NotificationKind::succeeded);
  if (from.on_failed) options.on.push_back(ports::NotificationKind::failed);
  return options;
}

Result<std::unique_ptr<ports::Sink>> wire_webhook(const fleet::Notification& from) {
  auto url = reveal(from, from.url);
  if (!url) return tl::unexpected<Error>(url.error());
  auto secret = reveal(from, from.secret);
  if (!secret) return tl::unexpected<Error>(secret.error());
  notify::WebhookConfig config;
  config.options = options_of(from);
  config.url = std::move(*url);
  if (!secret->empty()) config.secrets.push_back(std::move(*secret));
  return notify::make_webhook(std::move(config));
}

Result<std::unique_ptr<ports::Sink>> wire_slack(const fleet::Notification& from) {
  auto webhook = reveal(from, from.webhook);
  if (!webhook) return tl::unexpected<Error>(webhook.error());
  auto token = reveal(from, from.token);
  if (!token) return tl::unexpected<Error>(token.error());
  notify::SlackConfig config;
  config.options = options_of(from);
  config.webhook_url = std::move(*webhook);
  config.token = std::move(*token);
  config.channel = from.channel;
  if (!from.api_url.empty()) config.api_url = from.api_url;
  return notify::make_slack(std::move(config));
}

Result<std::unique_ptr<ports::Sink>> wire_smtp(const fleet::Notification& from) {
  auto password = reveal(from, from.password);
  if (!password) return tl::unexpected<Error>(password.error());
  notify::SmtpConfig config;
  config.options = options_of(from);
  config.url = from.smtp_url;
  config.from = from.from;
  config.to = from.to;
  config.username = from.username;
  config.password = std::move(*password);
  config.require_tls = from.starttls;
  return notify::make_smtp(std::move(config));
}

Result<std::unique_ptr<ports::Sink>> wire_pagerduty(const fleet::Notification& from) {
  auto key = reveal(from, from.routing_key);
  if (!key) return tl::unexpected<Error>(key.error());
  notify::PagerDutyConfig config;
  config.options = options_of(from);
  config.routing_key = std::move(*key);
  config.change_url = from.change_url;
  config.alert_url = from.alert_url;
  return notify::make_pagerduty(std::move(config));
}

}  // namespace

Result<std::vector<std::unique_ptr<ports::Sink>>> wire_sinks(const fleet::Fleet& fleet) {
  std::vector<std::unique_ptr<ports::Sink>> sinks;
  for (const fleet::Notification& from : fleet.notifications) {
    Result<std::unique_ptr<ports::Sink>> sink =
        fail(ErrorCode::internal, "unknown kind of notification");
    switch (from.kind) {
      case fleet::NotificationKind::webhook:
        sink = wire_webhook(from);
        break;
      case fleet::NotificationKind::slack:
        sink = wire_slack(from);
        break;
      case fleet::NotificationKind::smtp:
        sink = wire_smtp(from);
        break;
      case fleet::NotificationKind::pagerduty:
        sink = wire_pagerduty(from);
        break;
    }
    if (!sink) return tl::unexpected<Error>(sink.error());
    sinks.push_back(std::move(*sink));
  }
  return sinks;
}

}  // namespace hitless::cli
