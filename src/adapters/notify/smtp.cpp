#include "adapters/notify/delivery.hpp"
#include "adapters/notify/mime.hpp"
#include "base/text.hpp"

namespace hitless::notify {
namespace {

constexpr std::size_t max_attachment_bytes =
    10 << 20;  // many servers refuse 25 MB, and base64 adds a third
constexpr std::size_t max_recipients = 50;

bool is_address(std::string_view text) {
  const auto at = text.find('@');
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' &&
           std::string_view("<>()[],;:\\\"").find(c) == std::string_view::npos;
  });
  return plain && at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         at == text.rfind('@') && text.front() != '-' && text.size() <= 254;
}

class Smtp final : public ports::Sink {
 public:
  explicit Smtp(SmtpConfig config) : config_(std::move(config)) {}
  std::string name() const override { return config_.options.name; }
  bool required() const override { return config_.options.required; }
  bool wants(ports::NotificationKind kind) const override {
    return wants_kind(config_.options, kind);
  }

  Task<Delivery> deliver(ports::Notification notification) override {
    SmtpMessage message;
    message.url = config_.url;
    message.from = config_.from;
    message.to = config_.to;
    message.username = config_.username;
    message.password = config_.password;
    message.require_tls = config_.require_tls;
    message.timeout_ms = config_.options.timeout_ms;
    message.payload = mail_to_text(mail_of(cleaned(std::move(notification))));
    auto sent = co_await send_mail(std::move(message));
    if (sent) co_return Delivery();
    Error error = sent.error();
    if (!config_.password.empty()) {
      for (std::string* part : {&error.what, &error.help}) {
        const auto at = part->find(config_.password);
        if (at != std::string::npos) part->replace(at, config_.password.size(), "[redacted]");
      }
    }
    error.where = scheme_and_host(config_.url);
    const bool final = error.code == ErrorCode::invalid || error.code == ErrorCode::refused;
    co_return tl::unexpected(ports::DeliveryFailure{std::move(error), final, std::nullopt});
  }

 private:
  Mail mail_of(ports::Notification n) const {
    Mail mail;
    mail.from = config_.from;
    mail.to = config_.to;
    mail.subject = "[hitless] " + n.title;
    mail.message_id = message_id_of(n.key, config_.from);
    mail.key = n.key;
    mail.at = wall_now_ms();
    // All mails of a rollout make one thread, whether or not the first of them was wanted.
    if (n.kind != ports::NotificationKind::started && !n.rollout.empty()) {
      mail.in_reply_to = message_id_of(n.rollout + "/started", config_.from);
    }
    mail.text = n.text + "\n\n";
    for (const auto& [name, value] : n.fields) mail.text += fmt::format("{}: {}\n", name, value);
    mail.text += fmt::format("{} of {}, by {}, {}\n",
                             n.rollout.empty() ? n.incident : "rollout " + n.rollout, n.service,
                             n.actor, format_timestamp(n.at));
    std::size_t bytes = 0;
    for (auto& attachment : n.attachments) {
      bytes += attachment.content.size();
      if (bytes <= max_attachment_bytes) {
        mail.attachments.push_back(std::move(attachment));
      } else {
        mail.text +=
            fmt::format("{} is too long for a mail: hitless audit export\n", attachment.name);
      }
    }
    return mail;
  }

  SmtpConfig config_;
};

}  // namespace

Result<std::unique_ptr<ports::Sink>> make_smtp(SmtpConfig config) {
  if (!config.url.starts_with("smtp://") && !config.url.starts_with("smtps://")) {
    return fail(ErrorCode::invalid, "`url` is not an smtp:// or smtps:// URL", config.options.name);
  }
  bool good = is_address(config.from) && !config.to.empty() && config.to.size() <= max_recipients;
  for (const auto& address : config.to) good = good && is_address(address);
  if (!good) {
    return fail(ErrorCode::invalid, "`from` and `to` must be plain mail addresses",
                config.options.name,
                fmt::format("name@example.org; at most {} recipients", max_recipients));
  }
  if (!config.password.empty() && !config.require_tls && config.url.starts_with("smtp://")) {
    return fail(ErrorCode::invalid, "a password would go over the network in the clear",
                config.options.name, "leave require_tls on, or leave the login out");
  }
  return std::make_unique<Smtp>(std::move(config));
}

}  // namespace hitless::notify
