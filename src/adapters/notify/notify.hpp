// The notification sinks: webhook, Slack, SMTP, PagerDuty (ports/notify.hpp).
//
// Delivery is at least once: each message carries the notification's key in a form that its
// receiver can drop repeats by (webhook-id, Message-ID, dedup_key). 429, 5xx and network trouble
// are worth another try (Spool does that), other 4xx are final. What a person reads was redacted
// and freed of control characters; the audit log goes out byte for byte. No secret and no path of a
// URL is ever part of an Error.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ports/notify.hpp"

namespace hitless::notify {

struct SinkOptions {
  std::string name;
  bool required = false;
  std::vector<ports::NotificationKind> on;  // empty: succeeded, failed, test
  DurationMs timeout_ms = 10'000;           // of one exchange
  std::string ca_file;                      // empty: the system's
  bool use_proxy = true;                    // HTTP sinks: what the environment says
};

// POST of JSON, signed as in Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature.
struct WebhookConfig {
  SinkOptions options;
  std::string url;
  // "whsec_<base64>" or plain text. Two while one is being replaced: both sign. None: not signed.
  std::vector<std::string> secrets;
  std::vector<std::string> headers;  // more of them, "Name: value"
};

// Message through the incoming webhook, or through chat.postMessage when there is only a token;
// with token and channel the attachments are uploaded too (an incoming webhook cannot carry files).
struct SlackConfig {
  SinkOptions options;
  std::string webhook_url;
  std::string token;    // xoxb-…, with files:write (and chat:write without webhook_url)
  std::string channel;  // its ID (C…), of which the bot is a member
  std::string api_url = "https://slack.com/api";
};

struct SmtpConfig {
  SinkOptions options;
  std::string url;  // smtp://host:587, smtps://host:465
  std::string from;
  std::vector<std::string> to;
  std::string username, password;
  bool require_tls = true;
};

// A change event for each rollout; an alert when one failed.
struct PagerDutyConfig {
  SinkOptions options;
  std::string routing_key;
  std::string source = "hitless";
  std::string url = "https://events.pagerduty.com";
  std::string change_url = {}, alert_url = {};  // whole URLs instead of those below `url`
};

// Fail with invalid when the configuration cannot work.
[[nodiscard]] Result<std::unique_ptr<ports::Sink>> make_webhook(WebhookConfig config);
[[nodiscard]] Result<std::unique_ptr<ports::Sink>> make_slack(SlackConfig config);
[[nodiscard]] Result<std::unique_ptr<ports::Sink>> make_smtp(SmtpConfig config);
[[nodiscard]] Result<std::unique_ptr<ports::Sink>> make_pagerduty(PagerDutyConfig config);

}  // namespace hitless::notify
