#include "agent/evidence.hpp"

#include <algorithm>
#include <array>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::agent {
namespace {

constexpr std::size_t kMaxBodyBytes = 8u << 10;
constexpr std::size_t kMaxEvidence = 200;
constexpr std::size_t kMaxLines = 400;  // the last ones; of one piece of evidence
constexpr std::size_t kMaxLineBytes = 1'000;
constexpr std::size_t kIdDigits = 12;

// What nginx, Apache and HAProxy write between these words comes from the client.
struct ClientField {
  std::string_view begin, end, kind;
};
constexpr std::array<ClientField, 7> kClientFields = {{
    {"request: \"", "\"", "request: <request>"},
    {"host: \"", "\"", "host: <host>"},
    {"referrer: \"", "\"", "referrer: <referrer>"},
    {"referer: ", "\n", "referer: <referrer>"},
    {"user-agent: ", "\n", "user-agent: <user agent>"},
    {"User-Agent: ", "\n", "User-Agent: <user agent>"},
    {"[client ", "]", "[client]"},
}};

// Where "[30/Nov/2026" stands, the time in the log formats that all web servers share.
std::size_t access_time(std::string_view line) {
  const auto is = [](char c, char kind) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return kind == '9' ? digit : kind == 'a' ? letter : c == kind;
  };
  constexpr std::string_view kShape = "[99/aaa/9999";
  for (std::size_t at = line.find('['); at != std::string_view::npos; at = line.find('[', at + 1)) {
    const std::string_view here = line.substr(at, kShape.size());
    if (here.size() == kShape.size() && std::equal(here.begin(), here.end(), kShape.begin(), is))
      return at;
  }
  return std::string_view::npos;
}

// A line of an access log, also inside of a journal: user name, request, referrer and user agent
// are the client's, and where one of them ends as well. What stays is who asked and what comes
// after.
bool cut_access_line(std::string& text) {
  const std::size_t time = access_time(text);
  if (time == std::string::npos || text.find('"', time) == std::string::npos) return false;
  const std::size_t user = text.find(" - ");
  const std::size_t keep = std::min(user, time);
  text = text.substr(0, keep) + " <request>" + text.substr(text.rfind('"') + 1);
  return true;
}

// The rest of the line when the end is missing: a client must not be able to close the field early
// by leaving it open.
std::string without_client_text(std::string_view line, bool* tainted) {
  std::string text(line);
  if (cut_access_line(text)) {
    *tainted = true;
    return text;
  }
  // What nginx quotes before it names the client is made from the path that was asked for.
  const std::size_t client = text.find(", client: ");
  const std::size_t open = text.find('"');
  if (client != std::string::npos && open < client) {
    const std::size_t close = text.rfind('"', client);
    text.replace(open, std::max(close, open) + 1 - open, "<path>");
    *tainted = true;
  }
  for (const ClientField& field : kClientFields) {
    std::size_t at = text.find(field.begin);
    for (int round = 0; at != std::string::npos && round < 8; ++round) {
      const std::size_t from = at + field.begin.size();
      // The last one, not the first: a quote inside the field is the client's.
      std::size_t end = field.end == "\n" ? std::string::npos : text.find(field.end, from);
      if (field.end == "\"") end = text.rfind("\", ");
      if (field.end == "\"" && (end == std::string::npos || end < from)) end = text.rfind('"');
      if (end != std::string::npos && end < from) end = std::string::npos;
      const std::size_t past = end == std::string::npos ? text.size() : end + 1;
      text.replace(at, past - at, field.kind);
      *tainted = true;
      at = text.find(field.begin, at + field.kind.size());
    }
  }
  return text;
}

}  // namespace

std::string_view to_string(Source source) {
  constexpr std::array<std::string_view, 23> kNames = {
      "unit status", "journal",     "service manager", "kernel log",
      "error log",   "config test", "config diff",     "file",
      "sockets",     "disk",        "certificate",     "resolver",
      "health",      "dependency",  "load balancer",   "load balancer counters",
      "access log",  "latency",     "rollout",         "fingerprint",
      "changes",     "metrics",     "kill switch"};
  return kNames.at(static_cast<std::size_t>(source));
}

std::optional<Source> source_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Source::kill_switch); ++i)
    if (to_string(static_cast<Source>(i)) == name) return static_cast<Source>(i);
  return std::nullopt;
}

bool client_writable(Source source) {
  return source == Source::journal || source == Source::error_log || source == Source::access_log ||
         source == Source::health;
}

const Evidence* EvidenceStore::add(Source source, std::string host, TimeMs at,
                                   std::string_view raw) {
  Evidence evidence;
  evidence.source = source;
  evidence.host = std::move(host);
  evidence.at = at;
  evidence.cut = raw.size() > kMaxBodyBytes;
  if (evidence.cut) {  // the end is what happened last; a cut line would read like another one
    raw.remove_prefix(raw.size() - kMaxBodyBytes);
    const std::size_t line = raw.find('\n');
    raw.remove_prefix(line == std::string_view::npos ? raw.size() : line + 1);
  }
  evidence.body = escape_for_terminal(redact(raw), true);
  return keep(std::move(evidence));
}

const Evidence* EvidenceStore::restore(Source source, std::string host, TimeMs at,
                                       std::string body) {
  Evidence evidence;
  evidence.source = source;
  evidence.host = std::move(host);
  evidence.at = at;
  evidence.body = std::move(body);
  return keep(std::move(evidence));
}

const Evidence* EvidenceStore::keep(Evidence evidence) {
  evidence.sha256 = sha256_hex(evidence.body);
  const std::string name = std::string(to_string(evidence.source)) + '\0' + evidence.host + '\0' +
                           std::to_string(evidence.at) + '\0' + evidence.sha256;
  evidence.id = "ev_" + sha256_hex(name).substr(0, kIdDigits);
  if (const Evidence* known = find(evidence.id)) return known;
  if (all_.size() >= kMaxEvidence) return nullptr;
  all_.push_back(std::move(evidence));
  return &all_.back();
}

const Evidence* EvidenceStore::find(std::string_view id) const {
  const auto it =
      std::find_if(all_.begin(), all_.end(), [&](const Evidence& each) { return each.id == id; });
  return it == all_.end() ? nullptr : &*it;
}

std::vector<Line> lines_of(const Evidence& evidence) {
  std::vector<Line> lines;
  const bool from_clients = client_writable(evidence.source);
  for (const std::string& each : split(evidence.body, '\n')) {
    if (trim(each).empty()) continue;
    Line line;
    line.from = &evidence;
    line.quoted = truncate_utf8(each, kMaxLineBytes);
    line.text = from_clients ? without_client_text(line.quoted, &line.tainted) : line.quoted;
    // "+    server" and "+server" are the same change.
    const bool change = evidence.source == Source::config_diff && line.text.size() > 1;
    if (change) line.text = line.text[0] + std::string(trim(line.text.substr(1)));
    lines.push_back(std::move(line));
  }
  if (lines.size() > kMaxLines)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kMaxLines));
  return lines;
}

}  // namespace hitless::agent
