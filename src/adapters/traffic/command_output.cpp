#include "adapters/traffic/command_output.hpp"

#include <charconv>
#include <set>

#include "base/text.hpp"

namespace hitless::traffic {
namespace {

constexpr std::size_t kMaxLineBytes = 512;
constexpr std::size_t kMaxEpochBytes = 64;
constexpr const char* kContract =
    "one line: ready, drain, maint or absent, then any of check=pass|fail|none, in_flight=N, "
    "idle=N, "
    "requests=N, errors=N, epoch=WORD";

tl::unexpected<Error> not_so(std::string_view out, std::string why) {
  return fail(ErrorCode::invalid,
              "it printed `" + escape_for_terminal(truncate_utf8(redact(out), 80)) + "`: " + why,
              {}, kContract);
}

Result<std::string> one_line(std::string_view out) {
  if (out.ends_with('\n')) out.remove_suffix(1);
  if (out.size() > kMaxLineBytes) return not_so(out, "too long");
  for (const char c : out)
    if (c < ' ' || c > '~') return not_so(out, "not one line of plain ASCII");
  return std::string(out);
}

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = -1;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool fine = error == std::errc() && at == text.data() + text.size() && value >= 0;
  return fine ? std::optional(value) : std::nullopt;
}

bool set_check(core::LbCheck& check, std::string_view value) {
  if (value == "pass")
    check = core::LbCheck::pass;
  else if (value == "fail")
    check = core::LbCheck::fail;
  else if (value == "none")
    check = core::LbCheck::none;
  else
    return false;
  return true;
}

bool set_value(CommandState& state, std::string_view key, const std::string& value) {
  if (key == "check") return set_check(state.check, value);
  if (key == "epoch") {
    state.epoch = value;
    return !value.empty() && value.size() <= kMaxEpochBytes;
  }
  std::optional<std::int64_t>* slot = key == "in_flight"  ? &state.in_flight
                                      : key == "idle"     ? &state.idle
                                      : key == "requests" ? &state.requests
                                      : key == "errors"   ? &state.errors
                                                          : nullptr;
  if (slot == nullptr) return false;
  *slot = whole(value);
  return slot->has_value();
}

bool set_admin(core::AdminState& admin, const std::string& word) {
  using core::AdminState;
  for (const auto& [name, state] :
       {std::pair{"ready", AdminState::ready}, std::pair{"drain", AdminState::drain},
        std::pair{"maint", AdminState::maint}, std::pair{"absent", AdminState::absent}}) {
    if (word != name) continue;
    admin = state;
    return true;
  }
  return false;
}

}  // namespace

Result<CommandState> parse_command_state(std::string_view out) {
  auto line = one_line(out);
  if (!line) return tl::unexpected(line.error());
  const std::vector<std::string> words = split(*line, ' ');
  CommandState state;
  if (!set_admin(state.admin, words.front())) return not_so(out, "no state that is known");
  std::set<std::string> seen;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    if (equals == std::string::npos) return not_so(out, "a word without `=`");
    const std::string key = words[i].substr(0, equals);
    if (!seen.insert(key).second) return not_so(out, key + "= is there twice");
    if (!set_value(state, key, words[i].substr(equals + 1)))
      return not_so(out, key + "= is not known, or has no proper value");
  }
  return state;
}

Result<std::int64_t> parse_command_count(std::string_view out) {
  auto line = one_line(out);
  if (!line) return tl::unexpected(line.error());
  if (const auto count = whole(*line)) return *count;
  Error error = not_so(out, "not a whole number").value();
  error.help = "print one whole number, 0 or more, and nothing else";
  return tl::unexpected(std::move(error));
}

}  // namespace hitless::traffic
