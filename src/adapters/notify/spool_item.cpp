#include "adapters/notify/spool_item.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "adapters/notify/delivery.hpp"
#include "base/digest.hpp"

namespace hitless::notify {
namespace {

namespace json = boost::json;

constexpr std::string_view title = "hitless-spool 1 ";

// Throws, when a field is missing or of the wrong type; item_from_text() catches.
std::string text_of(const json::object& from, std::string_view key) {
  return std::string(from.at(key).as_string());
}

ports::Attachment attachment_of(const json::object& from) {
  auto content = decode_base64(std::string_view(from.at("content").as_string()));
  if (!content) throw std::runtime_error("an attachment is not base64");
  return {text_of(from, "name"), text_of(from, "media_type"), std::move(*content)};
}

SpoolItem item_of(const json::object& from) {
  SpoolItem item;
  auto& n = item.notification;
  item.sink = text_of(from, "sink");
  item.queued_at = from.at("queued_at").as_int64();
  item.next_at = from.at("next_at").as_int64();
  item.attempts = static_cast<int>(from.at("attempts").as_int64());
  item.last_error = text_of(from, "last_error");
  const auto kind = from.at("kind").as_int64();
  if (kind < 0 || kind > static_cast<int>(ports::NotificationKind::test))
    throw std::runtime_error("unknown kind");
  n.kind = static_cast<ports::NotificationKind>(kind);
  n.key = text_of(from, "key");
  n.rollout = text_of(from, "rollout");
  n.service = text_of(from, "service");
  n.result = text_of(from, "result");
  n.incident = text_of(from, "incident");
  n.title = text_of(from, "title");
  n.text = text_of(from, "text");
  n.actor = text_of(from, "actor");
  n.at = from.at("at").as_int64();
  for (const auto& field : from.at("fields").as_array()) {
    n.fields.emplace_back(field.as_array().at(0).as_string(), field.as_array().at(1).as_string());
  }
  for (const auto& attachment : from.at("attachments").as_array()) {
    n.attachments.push_back(attachment_of(attachment.as_object()));
  }
  return item;
}

}  // namespace

std::string item_to_text(const SpoolItem& item) {
  const auto& n = item.notification;
  json::array fields;
  for (const auto& [name, value] : n.fields) fields.push_back(json::array{name, value});
  json::array attachments;
  for (const auto& a : n.attachments) {
    attachments.push_back(json::object{
        {"name", a.name}, {"media_type", a.media_type}, {"content", base64(a.content)}});
  }
  const json::object all{{"sink", item.sink},
                         {"queued_at", item.queued_at},
                         {"next_at", item.next_at},
                         {"attempts", item.attempts},
                         {"last_error", item.last_error},
                         {"kind", static_cast<int>(n.kind)},
                         {"key", n.key},
                         {"rollout", n.rollout},
                         {"service", n.service},
                         {"result", n.result},
                         {"incident", n.incident},
                         {"title", n.title},
                         {"text", n.text},
                         {"actor", n.actor},
                         {"at", n.at},
                         {"fields", fields},
                         {"attachments", attachments}};
  const std::string body = json::serialize(all) + "\n";
  return std::string(title) + sha256_hex(body) + "\n" + body;
}

Result<SpoolItem> item_from_text(std::string_view text) {
  const auto line = text.find('\n');
  if (!text.starts_with(title) || line == std::string_view::npos) {
    return fail(ErrorCode::storage, "not a spooled notification");
  }
  const std::string_view body = text.substr(line + 1);
  if (text.substr(title.size(), line - title.size()) != sha256_hex(body)) {
    return fail(ErrorCode::storage, "the spooled notification is damaged");
  }
  try {
    json::parse_options options;
    options.allow_invalid_utf8 = true;
    const auto tree = json::parse(body, {}, options);
    return item_of(tree.as_object());
  } catch (const std::exception& error) {
    return fail(ErrorCode::storage,
                std::string("the spooled notification cannot be read: ") + error.what());
  }
}

}  // namespace hitless::notify
