// Notifications.
#include <fmt/format.h>

#include "base/text.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

void read_events(const Reader& reader, Notification& made) {
  if (reader.node("on") == nullptr) return;
  made.on_started = made.on_succeeded = made.on_failed = false;
  for (const auto& event : reader.words("on")) {
    made.on_started = made.on_started || event == "started";
    made.on_succeeded = made.on_succeeded || event == "succeeded";
    made.on_failed = made.on_failed || event == "failed";
  }
}

void read_slack(const LoadContext& context, const Reader& reader, const Node& node,
                Notification& made) {
  made.webhook = reader.secret("webhook");
  made.token = reader.secret("token");
  made.channel = reader.text("channel");
  made.api_url = reader.text("api_url");
  if (reader.node("webhook") == nullptr && reader.node("token") == nullptr)
    context.error("HL0115", node.span, "a slack notification wants a webhook or a token",
                  "neither is here");
  if (reader.node("token") != nullptr && made.channel.empty())
    context.error("HL0102", reader.span("token"), "a slack token also wants a channel",
                  "add channel: C0123…");
}

void read_pagerduty(const Reader& reader, Notification& made) {
  made.routing_key = reader.secret("routing_key");
  std::string base = reader.text("url");
  while (!base.empty() && base.back() == '/') base.pop_back();
  made.change_url = reader.optional_text("change_url").value_or(base + "/v2/change/enqueue");
  made.alert_url = reader.optional_text("alert_url").value_or(base + "/v2/enqueue");
}

Notification decode_notification(const LoadContext& context, const Node& node) {
  const Reader reader(node, notification_table());
  Notification made;
  made.mark = context.mark(node.span);
  made.name = reader.optional_text("name").value_or(reader.kind());
  made.required = reader.flag("required");
  read_events(reader, made);
  if (made.required && !made.on_started)
    context.error("HL0245", reader.span("on"), "a required receiver must hear of the start",
                  "add started");
  if (reader.kind() == "webhook") {
    made.url = reader.secret("url");
    made.secret = reader.secret("secret");
  } else if (reader.kind() == "slack") {
    made.kind = NotificationKind::slack;
    read_slack(context, reader, node, made);
  } else if (reader.kind() == "smtp") {
    made.kind = NotificationKind::smtp;
    made.smtp_url = reader.text("url");
    made.from = reader.text("from");
    made.to = reader.words("to");
    made.username = reader.text("username");
    made.password = reader.secret("password");
    made.starttls = reader.text("tls") == "starttls";
  } else if (reader.kind() == "pagerduty") {
    made.kind = NotificationKind::pagerduty;
    read_pagerduty(reader, made);
  }
  return made;
}

}  // namespace

void decode_notifications(LoadContext& context) {
  const Node* all = context.root.find("notifications");
  if (all == nullptr || all->kind != Node::Kind::list) return;
  for (const auto& node : all->items) {
    Notification made = decode_notification(context, node);
    for (const auto& other : context.fleet.notifications)
      if (other.name == made.name && !made.name.empty()) {
        auto& d = context.error(
            "HL0210", Reader(node, notification_table()).span("name"),
            fmt::format("two notifications are called `{}`", escape_for_terminal(made.name)),
            fmt::format("the other is on line {}", other.mark.line));
        d.help = "give each a `name:` of its own";
        break;
      }
    context.fleet.notifications.push_back(std::move(made));
  }
}

}  // namespace hitless::fleet
