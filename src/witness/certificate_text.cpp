#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.hpp"
#include "core/names.hpp"
#include "witness/certificate.hpp"

namespace hitless::witness {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxShown = 3;  // of each list, in the text

const char* name_of(CounterSense sense) {
  switch (sense) {
    case CounterSense::work:
      return "work";
    case CounterSense::failure:
      return "failure";
    case CounterSense::near_miss:
      return "near_miss";
    case CounterSense::shown:
      return "shown";
  }
  return "?";
}

std::string place(const CertifiedLoss& lost) {
  if (lost.where.empty()) return "nothing in work";
  std::vector<std::string> parts;
  for (const Where& where : lost.where)
    parts.push_back(
        fmt::format("{} of {}", core::to_string(where.phase), escape_for_terminal(where.instance)));
  return join(parts, " or ");
}

json::value number_or_null(const std::optional<std::int64_t>& number) {
  return number ? json::value(*number) : json::value();
}

json::object to_json(const CertifiedLoss& lost) {
  json::array where;
  for (const Where& each : lost.where)
    where.push_back({{"instance", each.instance}, {"phase", core::to_string(each.phase)}});
  return {{"at", format_timestamp(lost.moment_ms)},
          {"sent_at", format_timestamp(lost.loss.at_ms)},
          {"prober", lost.prober},
          {"kind", name_of(lost.loss.kind)},
          {"request", name_of(lost.loss.type)},
          {"path", lost.loss.path},
          {"status", lost.loss.status},
          {"server", lost.loss.server},
          {"window", name_of(lost.window)},
          {"where", std::move(where)},
          {"blame", name_of(lost.blame)},
          {"detail", lost.loss.detail}};
}

json::array strings(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& each : list) out.emplace_back(each);
  return out;
}

}  // namespace

std::string describe(const CertifiedLoss& lost) {
  return fmt::format("{} {}, {}: {} {}, {}", format_timestamp(lost.moment_ms).substr(11),
                     name_of(lost.loss.kind), place(lost), name_of(lost.loss.type),
                     escape_for_terminal(lost.loss.path), lost.loss.detail);
}

std::string certificate_text(const Certificate& c) {
  std::string text = fmt::format("zero-drop {}: ", name_of(c.verdict));
  text += fmt::format("{} requests in {}, {} lost\n", c.sent,
                      format_duration(std::max<DurationMs>(0, c.to_ms - c.from_ms)), c.lost);
  if (c.verdict != Verdict::confirmed) {
    for (std::size_t i = 0; i < c.reasons.size() && i < kMaxShown; ++i)
      text += "  why       " + c.reasons[i] + "\n";
    if (c.reasons.size() > kMaxShown)
      text += fmt::format("            and {} more reasons\n", c.reasons.size() - kMaxShown);
  }
  std::size_t shown = 0;
  for (const CertifiedLoss& lost : c.losses) {
    if (lost.blame != Blame::ours && lost.blame != Blame::undecidable) continue;
    if (++shown <= kMaxShown) text += "  lost      " + describe(lost) + "\n";
  }
  if (shown > kMaxShown) text += fmt::format("            and {} more\n", shown - kMaxShown);
  for (const NearMiss& near : c.near_misses)
    text += fmt::format("  near miss {} +{}\n", escape_for_terminal(near.what), near.count);
  for (std::size_t i = 0; i < c.duplicates.size() && i < kMaxShown; ++i)
    text +=
        fmt::format("  ran twice POST {} {} times ({})\n", escape_for_terminal(c.duplicates[i].id),
                    c.duplicates[i].times, escape_for_terminal(join(c.duplicates[i].where, ", ")));
  for (const std::string& remark : c.remarks) text += "  remark    " + remark + "\n";
  if (c.baseline_lost > 0 || c.subtracted > 0)
    text += fmt::format(
        "  baseline  {} of {} failed before; {} like them in the rollout, "
        "not counted\n",
        c.baseline_lost, c.baseline_sent, c.subtracted);
  return text;
}

std::string certificate_json(const Certificate& c) {
  json::array losses, near_misses, duplicates, counters;
  for (const CertifiedLoss& lost : c.losses) losses.push_back(to_json(lost));
  for (const NearMiss& near : c.near_misses)
    near_misses.push_back({{"what", near.what}, {"count", near.count}});
  for (const Duplicate& each : c.duplicates)
    duplicates.push_back({{"id", each.id}, {"times", each.times}, {"where", strings(each.where)}});
  for (const CounterRow& row : c.counters)
    counters.push_back({{"source", row.source},
                        {"counter", row.counter},
                        {"sense", name_of(row.sense)},
                        {"baseline", number_or_null(row.baseline)},
                        {"rollout", number_or_null(row.rollout)},
                        {"more_than_before", row.more}});
  const json::object whole = {
      {"format_version", 1},
      {"verdict", name_of(c.verdict)},
      {"reasons", strings(c.reasons)},
      {"remarks", strings(c.remarks)},
      {"from", format_timestamp(c.from_ms)},
      {"to", format_timestamp(c.to_ms)},
      {"sent", c.sent},
      {"lost", c.lost},
      {"baseline",
       {{"sent", c.baseline_sent}, {"lost", c.baseline_lost}, {"subtracted", c.subtracted}}},
      {"losses", std::move(losses)},
      {"near_misses", std::move(near_misses)},
      {"duplicates", std::move(duplicates)},
      {"counters", std::move(counters)}};
  return json::serialize(whole);
}

}  // namespace hitless::witness
