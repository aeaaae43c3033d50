#include "cli/kill_switch.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.hpp"
#include "cli/fact_fields.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBytes = 8u << 10;
constexpr std::size_t kMaxReason = 500;

std::string path_of(const std::string& state_dir) {
  return state_dir + "/kill-switch";
}

}  // namespace

KillSwitch read_kill_switch(const std::string& state_dir) {
  auto text = read_if_there(path_of(state_dir), kMaxBytes);
  if (text && !*text) return {};
  KillSwitch found{true, "somebody", "its file could not be read", 0};
  if (!text) return found;
  boost::system::error_code error;
  const json::value parsed = json::parse(**text, error);
  if (error || !parsed.is_object()) return found;
  found.by = text_at(parsed.get_object(), "by");
  found.reason = text_at(parsed.get_object(), "reason");
  const json::value* at = parsed.get_object().if_contains("at");
  if (at != nullptr && at->is_int64()) found.at = at->get_int64();
  return found;
}

Status engage_kill_switch(const std::string& state_dir, const std::string& by,
                          const std::string& reason) {
  if (Status ok = make_private_dir(state_dir); !ok) return ok;
  if (read_kill_switch(state_dir).engaged) return {};
  const json::object file{
      {"by", truncate_utf8(escape_for_terminal(by), kMaxReason)},
      {"reason", truncate_utf8(escape_for_terminal(redact(reason)), kMaxReason)},
      {"at", wall_now_ms()}};
  return write_durably(path_of(state_dir), json::serialize(file));
}

Status release_kill_switch(const std::string& state_dir) {
  return remove_durably(path_of(state_dir));
}

std::string describe(const KillSwitch& kill_switch) {
  if (!kill_switch.engaged) return "not engaged";
  return "engaged by " + kill_switch.by +
         (kill_switch.at == 0 ? "" : " at " + format_timestamp(kill_switch.at)) + ": " +
         (kill_switch.reason.empty() ? "no reason given" : kill_switch.reason);
}

Status check_kill_switch(const std::string& state_dir) {
  const KillSwitch found = read_kill_switch(state_dir);
  if (!found.engaged) return {};
  return fail(ErrorCode::refused, "the kill switch is " + describe(found), {},
              "when it is safe to go on: `hitless kill-switch release`");
}

}  // namespace hitless::cli
