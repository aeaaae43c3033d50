#include "cli/certificate_store.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>

#include "base/text.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using witness::Certificate;

constexpr std::string_view kKey = "certificate:";
constexpr std::size_t kMaxNoteBytes = 160;

// ---- writing
// ------------------------------------------------------------------------------------
// What makes it long, the least needed first; the first entries of each are kept.
constexpr const char* kLists[] = {"losses",  "duplicates", "near_misses",
                                  "reasons", "remarks",    "counters"};

void cut(json::object& whole) {
  for (const char* name : kLists) {
    json::array& list = whole.at(name).as_array();
    const std::size_t had = list.size();
    while (json::serialize(whole).size() + kMaxNoteBytes > kMaxStoredBytes && !list.empty())
      list.resize(list.size() / 2);
    if (list.size() < had) {
      json::value& left_out = whole["left_out"];
      if (!left_out.is_object()) left_out = json::object{};
      left_out.as_object()[name] = had - list.size();
    }
  }
}

// ---- reading: what is missing or of another type reads as nothing
// ----------------------------------
const json::value& at(const json::object& from, const char* key) {
  static const json::value none;
  const json::value* found = from.if_contains(key);
  return found != nullptr ? *found : none;
}

std::string text(const json::object& from, const char* key) {
  const json::value& found = at(from, key);
  return found.is_string() ? std::string(found.get_string()) : std::string();
}

std::optional<std::int64_t> maybe(const json::object& from, const char* key) {
  const json::value& found = at(from, key);
  return found.is_int64() ? std::optional(found.get_int64()) : std::nullopt;
}

std::int64_t number(const json::object& from, const char* key) {
  return maybe(from, key).value_or(0);
}

TimeMs time(const json::object& from, const char* key) {
  int year = 0, ms = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(text(from, key).c_str(), "%4d-%2u-%2uT%2u:%2u:%2u.%3dZ", &year, &month, &day,
                  &hour, &minute, &second, &ms) != 7)
    return 0;
  const std::chrono::sys_days date =
      std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  const std::int64_t seconds = hour * 3600LL + minute * 60LL + second;
  return (date.time_since_epoch().count() * 86'400LL + seconds) * 1000 + ms;
}

// The value of an enumeration whose name stands there; the first one when there is no such.
template <class Enum>
Enum named(const json::object& from, const char* key, int count, auto name_of) {
  const std::string wanted = text(from, key);
  for (int i = 0; i < count; ++i)
    if (wanted == name_of(static_cast<Enum>(i))) return static_cast<Enum>(i);
  return static_cast<Enum>(0);
}

template <class F>
void each(const json::object& from, const char* key, F take) {
  const json::value& list = at(from, key);
  if (!list.is_array()) return;
  for (const json::value& item : list.get_array()) take(item);
}

std::vector<std::string> texts(const json::object& from, const char* key) {
  std::vector<std::string> all;
  each(from, key, [&](const json::value& item) {
    if (item.is_string()) all.emplace_back(item.get_string());
  });
  return all;
}

witness::CertifiedLoss loss_of(const json::object& from) {
  witness::CertifiedLoss made;
  made.moment_ms = time(from, "at");
  made.loss.at_ms = time(from, "sent_at");
  made.prober = text(from, "prober");
  made.loss.kind =
      named<witness::LossKind>(from, "kind", static_cast<int>(witness::kLossKinds),
                               [](witness::LossKind kind) { return witness::name_of(kind); });
  made.loss.type =
      named<witness::RequestType>(from, "request", static_cast<int>(witness::kRequestTypes),
                                  [](witness::RequestType type) { return witness::name_of(type); });
  made.loss.path = text(from, "path");
  made.loss.status = static_cast<int>(number(from, "status"));
  made.loss.server = text(from, "server");
  made.loss.detail = text(from, "detail");
  made.window = named<witness::Window>(
      from, "window", 4, [](witness::Window window) { return witness::name_of(window); });
  made.blame = named<witness::Blame>(from, "blame", 4,
                                     [](witness::Blame blame) { return witness::name_of(blame); });
  each(from, "where", [&](const json::value& item) {
    if (!item.is_object()) return;
    const auto phase = named<core::PhaseName>(
        item.get_object(), "phase", static_cast<int>(core::PhaseName::skipped) + 1,
        [](core::PhaseName name) { return core::to_string(name); });
    made.where.push_back({text(item.get_object(), "instance"), phase});
  });
  return made;
}

witness::CounterSense sense_of(const std::string& name) {
  if (name == "work") return witness::CounterSense::work;
  if (name == "failure") return witness::CounterSense::failure;
  return name == "near_miss" ? witness::CounterSense::near_miss : witness::CounterSense::shown;
}

witness::CounterRow row_of(const json::object& from) {
  witness::CounterRow row;
  row.source = text(from, "source");
  row.counter = text(from, "counter");
  row.sense = sense_of(text(from, "sense"));
  row.baseline = maybe(from, "baseline");
  row.rollout = maybe(from, "rollout");
  row.more = at(from, "more_than_before") == json::value(true);
  return row;
}

void read_lists(const json::object& from, Certificate* made) {
  made->reasons = texts(from, "reasons");
  for (std::string& reason : made->reasons) reason = escape_for_terminal(reason);
  made->remarks = texts(from, "remarks");
  for (std::string& remark : made->remarks) remark = escape_for_terminal(remark);
  const auto objects = [&](const char* key, auto take) {
    each(from, key, [&](const json::value& item) {
      if (item.is_object()) take(item.get_object());
    });
  };
  objects("losses", [&](const json::object& o) { made->losses.push_back(loss_of(o)); });
  objects("counters", [&](const json::object& o) { made->counters.push_back(row_of(o)); });
  objects("near_misses", [&](const json::object& o) {
    made->near_misses.push_back({text(o, "what"), number(o, "count")});
  });
  objects("duplicates", [&](const json::object& o) {
    made->duplicates.push_back({text(o, "id"), number(o, "times"), texts(o, "where")});
  });
  const json::value& left_out = at(from, "left_out");
  if (!left_out.is_object()) return;
  for (const auto& [name, count] : left_out.get_object())
    if (count.is_int64())
      made->reasons.push_back(fmt::format("{} more {} are not kept in the journal",
                                          count.get_int64(), escape_for_terminal(name)));
}

}  // namespace

std::string stored_certificate(const Certificate& certificate) {
  json::object whole = json::parse(witness::certificate_json(certificate)).as_object();
  cut(whole);
  return json::serialize(whole);
}

std::optional<Certificate> read_certificate(std::string_view stored) {
  boost::system::error_code error;
  const json::value value = json::parse(stored, error);
  if (error || !value.is_object()) return std::nullopt;
  const json::object& from = value.get_object();
  if (number(from, "format_version") != 1) return std::nullopt;
  Certificate made;
  const std::string verdict = text(from, "verdict");
  made.verdict = verdict == "confirmed" ? witness::Verdict::confirmed
                 : verdict == "refuted" ? witness::Verdict::refuted
                                        : witness::Verdict::unknown;
  made.sent = number(from, "sent");
  made.lost = number(from, "lost");
  made.from_ms = time(from, "from");
  made.to_ms = time(from, "to");
  if (const json::value& baseline = at(from, "baseline"); baseline.is_object()) {
    made.baseline_sent = number(baseline.get_object(), "sent");
    made.baseline_lost = number(baseline.get_object(), "lost");
    made.subtracted = number(baseline.get_object(), "subtracted");
  }
  read_lists(from, &made);
  return made;
}

Status put_certificate(ports::Journal& journal, const std::string& rollout,
                       const Certificate& certificate) {
  return journal.put_fact(std::string(kKey) + rollout, stored_certificate(certificate));
}

std::optional<Certificate> get_certificate(ports::Journal& journal, const std::string& rollout) {
  const auto stored = journal.get_fact(std::string(kKey) + rollout);
  return stored && !stored->empty() ? read_certificate(*stored) : std::nullopt;
}

std::string verdict_text(const Certificate& c) {
  const std::string word = witness::name_of(c.verdict);
  if (c.verdict == witness::Verdict::refuted && c.lost > 0)
    return fmt::format("{}: {} request{} lost", word, c.lost, c.lost == 1 ? "" : "s");
  if (c.verdict == witness::Verdict::confirmed || c.reasons.empty()) return word;
  return word + ": " + c.reasons.front();
}

}  // namespace hitless::cli
