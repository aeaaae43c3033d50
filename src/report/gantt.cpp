#include "core/names.hpp"
#include "report/html.hpp"
#include "report/parts.hpp"

namespace hitless::report {

using core::PhaseName;

namespace {

constexpr double kRow = 26, kTop = 12;

// Empty: nothing is going on, no bar.
const char* class_of(PhaseName phase) {
  switch (phase) {
    case PhaseName::preflight:
      return "pre";
    case PhaseName::draining:
    case PhaseName::drained:
      return "dra";
    case PhaseName::acting:
      return "act";
    case PhaseName::verifying:
      return "ver";
    case PhaseName::rejoining:
      return "rej";
    case PhaseName::soaking:
      return "soa";
    case PhaseName::rolling_back:
      return "rol";
    default:
      return "";
  }
}

std::string bar(const TimeAxis& axis, const PhaseSpan& span, double top) {
  const std::string css = class_of(span.phase);
  if (css.empty()) return {};
  const double x = axis.x(span.from), width = std::max(1.5, axis.x(span.to) - x);
  const std::string name(core::to_string(span.phase));
  std::string out = fmt::format(
      "<rect class=\"bar {}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
      "height=\"{:.1f}\"><title>{}"
      "</title></rect>",
      css, x, top + 3, width, kRow - 7,
      safe(
          fmt::format("{}: {} for {}", span.instance, name, format_duration(span.to - span.from))));
  const auto letters = static_cast<double>(name.size());
  if (width > letters * 6.2 + 8) {
    out += label(x + 4, top + 16.5, name, "in");
  } else if (width > 12) {
    out += label(x + 3, top + 16.5, name.substr(0, 1), "in");
  }
  return out;
}

std::string loss_marks(const ReportInput& input, const TimeAxis& axis, double top) {
  std::string out;
  if (!input.certificate) return out;
  std::size_t drawn = 0;
  for (const witness::CertifiedLoss& lost : input.certificate->losses) {
    if (lost.blame == witness::Blame::before || ++drawn > kMaxLossRows) continue;
    const double x = axis.x(lost.moment_ms);
    out +=
        fmt::format("<path class=\"mark\" d=\"M{:.1f} {:.1f}l5 10h-10z\"><title>{}</title></path>",
                    x, top + 6, safe(witness::describe(lost)));
  }
  return out;
}

std::string outcome(const core::Instance& instance) {
  return std::string(core::to_string(core::name_of(instance.phase)));
}

}  // namespace

TimeMs began(const ReportInput& input) {
  TimeMs at = input.state.started_at;
  if (!input.entries.empty())
    at = std::min(at == 0 ? input.entries[0].at : at, input.entries[0].at);
  return at;
}

TimeMs ended(const ReportInput& input) {
  TimeMs at = std::max(input.state.ended_at, input.state.now);
  if (!input.entries.empty()) at = std::max(at, input.entries.back().at);
  return std::max(at, began(input) + 1);
}

std::vector<PhaseSpan> spans_of(const ReportInput& input) {
  std::vector<PhaseSpan> spans;
  std::map<std::string, std::size_t> open;
  for (const core::Entry& entry : input.entries) {
    const auto* step = std::get_if<core::Advanced>(&entry.event);
    if (step == nullptr) continue;
    const std::string& instance = step->instance.value;
    if (const auto it = open.find(instance); it != open.end()) spans[it->second].to = entry.at;
    open[instance] = spans.size();
    spans.push_back({instance, step->to, entry.at, ended(input)});
  }
  return spans;
}

std::string gantt_part(const ReportInput& input) {
  const std::vector<PhaseSpan> spans = spans_of(input);
  const auto& instances = input.state.instances;
  TimeAxis axis{began(input), ended(input)};
  const bool losses = input.certificate && input.certificate->lost > 0;
  const double rows = static_cast<double>(instances.size()) + (losses ? 1.0 : 0.0);
  const double bottom = kTop + rows * kRow;
  std::string svg = open_svg(960, bottom + 24, "Phases of each instance over time");
  svg += time_grid(axis, kTop, bottom);
  std::map<std::string, double> tops;
  for (std::size_t i = 0; i < instances.size(); ++i) {
    const double top = kTop + static_cast<double>(i) * kRow;
    tops[instances[i].plan.id.value] = top;
    svg += label(axis.left - 8, top + 17, instances[i].plan.id.value, "row");
  }
  std::vector<std::vector<std::string>> numbers;
  for (const PhaseSpan& span : spans) {
    const auto top = tops.find(span.instance);
    if (top == tops.end()) continue;
    svg += bar(axis, span, top->second);
    if (class_of(span.phase)[0] == '\0') continue;
    numbers.push_back({safe(span.instance), std::string(core::to_string(span.phase)),
                       format_clock(span.from), format_clock(span.to),
                       format_duration(span.to - span.from)});
  }
  if (losses) {
    svg += label(axis.left - 8, bottom - kRow + 17, "lost requests", "row");
    svg += loss_marks(input, axis, bottom - kRow);
  }
  svg += "</svg>";
  std::vector<std::vector<std::string>> ends;
  const auto took = [](DurationMs ms) { return ms > 0 ? format_duration(ms) : "–"; };
  for (const core::Instance& instance : instances)
    ends.push_back({safe(instance.plan.id.value), outcome(instance), took(instance.drain_ms),
                    took(instance.back_ms),
                    safe(instance.failure.empty() ? instance.proof : instance.failure)});
  return section(
      "gantt", "Instances",
      figure("Phase of each instance; a letter stands for a short phase", svg,
             table("Phases", {"Instance", "Phase", "From", "To", "Took"}, numbers)) +
          table("Outcome", {"Instance", "Now", "Drain", "Back after", "Proof or failure"}, ends));
}

}  // namespace hitless::report
