#include "core/names.hpp"
#include "report/html.hpp"
#include "report/parts.hpp"

namespace hitless::report {

namespace {

struct Row {
  std::string kind, instance, text;
};

const char* wish_words(core::OperatorWish wish) {
  switch (wish) {
    case core::OperatorWish::stop:
      return "stop";
    case core::OperatorWish::abort:
      return "abort";
    case core::OperatorWish::pause:
      return "pause";
    case core::OperatorWish::resume:
      return "resume";
    case core::OperatorWish::force_drain:
      return "force the drain";
  }
  return "?";
}

struct Words {
  Row operator()(const core::RolloutStarted& e) const {
    return {"started", "", "by " + e.actor + ", plan " + e.plan.hash.substr(0, 16)};
  }
  Row operator()(const core::EffectIntended& e) const {
    return {
        "intended", e.effect.instance.value,
        fmt::format("{} ({}) {}", core::to_string(e.effect.kind), e.effect.id, e.effect.reason)};
  }
  Row operator()(const core::EffectFinished& e) const {
    return {
        "finished", "",
        fmt::format("{}: {} {}", e.effect_id, core::to_string(e.outcome.status), e.outcome.detail)};
  }
  Row operator()(const core::TrafficSeen& e) const {
    std::string text;
    for (const auto& [id, reading] : e.readings)
      text += fmt::format(
          "{}{} {}{}", text.empty() ? "" : "; ", id.value, core::to_string(reading.state),
          reading.in_flight ? fmt::format(", {} in flight", *reading.in_flight) : std::string());
    return {"traffic", "", text};
  }
  Row operator()(const core::ServiceSeen& e) const {
    return {"service", e.instance.value,
            fmt::format("{} {}", core::to_string(e.reading.verdict), e.reading.evidence)};
  }
  Row operator()(const core::Advanced& e) const {
    return {"phase", e.instance.value,
            fmt::format("{} → {} {}", core::to_string(e.from), core::to_string(e.to), e.reason)};
  }
  Row operator()(const core::Halted& e) const { return {"halted", "", e.reason}; }
  Row operator()(const core::OperatorAsked& e) const {
    return {"operator", "", fmt::format("{} asked to {}", e.actor, wish_words(e.wish))};
  }
  Row operator()(const core::Noted& e) const { return {"note", e.instance.value, e.text}; }
  // What has no words of its own yet is named, not left out.
  template <class Other>
  Row operator()(const Other& e) const {
    if constexpr (requires {
                    e.reading.evidence;
                    e.instance.value;
                  }) {
      return {"health", e.instance.value, e.reading.evidence};
    } else if constexpr (requires {
                           e.actor;
                           e.epoch;
                         }) {
      return {"took over", "", fmt::format("{}, epoch {}", e.actor, e.epoch)};
    } else {
      return {"event", "", ""};
    }
  }
};

}  // namespace

std::string journal_part(const ReportInput& input) {
  std::vector<std::vector<std::string>> rows;
  std::size_t left_out = 0;
  for (const core::Entry& entry : input.entries) {
    if (rows.size() >= kMaxJournalRows) {
      ++left_out;
      continue;
    }
    const Row row = std::visit(Words{}, entry.event);
    rows.push_back({std::to_string(entry.seq),
                    "<span class=\"at\">" + format_timestamp(entry.at).substr(11) + "</span>",
                    safe(row.kind), safe(row.instance), safe(row.text)});
  }
  std::string body =
      table("Entries in their order", {"No", "At", "What", "Instance", "Text"}, rows);
  if (left_out > 0)
    body += fmt::format("<p>{} more entries: <code>hitless audit {}</code></p>\n", left_out,
                        safe(input.state.plan.rollout));
  return section("journal", "Journal", body);
}

}  // namespace hitless::report
