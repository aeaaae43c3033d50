#include "core/names.hpp"
#include "report/html.hpp"
#include "report/parts.hpp"

namespace hitless::report {

namespace {

constexpr double kTop = 28, kBottom = 134, kHeight = 160;
constexpr std::size_t kMaxTableRows = 60;  // of one drain

struct Point {
  TimeMs at = 0;
  std::optional<std::int64_t> lb, host;
};

struct Drain {
  std::string instance;
  TimeMs from = 0, to = 0;
  std::vector<Point> points;
};

// The latest draining of the instance counts forward and backward alike: each is one drain.
std::vector<Drain> drains_of(const ReportInput& input) {
  std::vector<Drain> all;
  for (const PhaseSpan& span : spans_of(input))
    if (span.phase == core::PhaseName::draining)
      all.push_back({span.instance, span.from, span.to, {}});
  for (const core::Entry& entry : input.entries) {
    const auto* seen = std::get_if<core::TrafficSeen>(&entry.event);
    if (seen == nullptr) continue;
    for (const auto& [id, reading] : seen->readings)
      for (Drain& drain : all)
        if (drain.instance == id.value && entry.at >= drain.from && entry.at <= drain.to)
          drain.points.push_back({entry.at, reading.in_flight, reading.host_connections});
  }
  return all;
}

std::int64_t highest(const Drain& drain) {
  std::int64_t most = 1;
  for (const Point& point : drain.points)
    most = std::max({most, point.lb.value_or(0), point.host.value_or(0)});
  return most;
}

// Steps, because a count holds until the next reading; a reading without a count is a gap.
std::string curve(const Drain& drain, const TimeAxis& axis, double scale,
                  std::optional<std::int64_t> Point::* which, const char* css) {
  std::string path;
  bool drawing = false;
  for (std::size_t i = 0; i < drain.points.size(); ++i) {
    const auto& value = drain.points[i].*which;
    if (!value) {
      drawing = false;
      continue;
    }
    const double x = axis.x(drain.points[i].at);
    const double y = kBottom - static_cast<double>(*value) * scale;
    path += fmt::format("{}{:.1f} {:.1f}", drawing ? "L" : "M", x, y);
    const TimeMs until = i + 1 < drain.points.size() ? drain.points[i + 1].at : drain.to;
    path += fmt::format("H{:.1f}", axis.x(until));
    drawing = true;
  }
  return path.empty() ? path : fmt::format("<path class=\"{}\" d=\"{}\"/>", css, path);
}

std::string chart(const Drain& drain, DurationMs deadline_ms) {
  const DurationMs took = std::max<DurationMs>(1, drain.to - drain.from);
  const bool near = deadline_ms <= 2 * took;  // otherwise the curve would be a line at the left
  TimeAxis axis{drain.from, drain.from + (near ? std::max(took, deadline_ms) : took) * 21 / 20};
  axis.left = 60;
  const double top_value = round_up(static_cast<double>(highest(drain)));
  const double scale = (kBottom - kTop) / top_value;
  std::string svg = open_svg(960, kHeight, "In-flight work of " + drain.instance + " over time");
  svg += time_grid(axis, kTop, kBottom);
  svg += label(axis.left - 6, kTop + 5, fmt::format("{:.0f}", top_value), "axis");
  svg += label(axis.left - 6, kBottom + 1, "0", "axis");
  svg += line(axis.left, kBottom, axis.right, kBottom, "grid");
  svg += curve(drain, axis, scale, &Point::lb, "p50");
  svg += curve(drain, axis, scale, &Point::host, "p95");
  const double x = near ? axis.x(drain.from + deadline_ms) : axis.right;
  svg += line(x, kTop, x, kBottom, "deadline");
  svg += label(x - 5, kTop + 10,
               fmt::format("deadline {}{}", format_duration(deadline_ms), near ? "" : " →"),
               "note end");
  svg += label(axis.left, kTop - 12, "— load balancer   - - host's own sockets", "note");
  return svg + "</svg>";
}

std::string number(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "unknown";
}

std::string numbers(const Drain& drain) {
  std::vector<std::vector<std::string>> rows;
  const std::size_t step = drain.points.size() / kMaxTableRows + 1;
  for (std::size_t i = 0; i < drain.points.size(); ++i) {
    if (i % step != 0 && i + 1 != drain.points.size()) continue;
    const Point& point = drain.points[i];
    rows.push_back(
        {"+" + format_duration(point.at - drain.from), number(point.lb), number(point.host)});
  }
  return table("In flight at " + drain.instance +
                   (step > 1 ? fmt::format(", every {}th reading", step) : std::string()),
               {"After", "Load balancer", "Host"}, rows);
}

}  // namespace

std::string drains_part(const ReportInput& input) {
  const std::vector<Drain> drains = drains_of(input);
  const DurationMs deadline = input.state.plan.policy.drain.deadline_ms;
  std::string body;
  for (std::size_t i = 0; i < drains.size() && i < kMaxDrainCharts; ++i)
    body += figure(fmt::format("{}: {} to zero", drains[i].instance,
                               format_duration(drains[i].to - drains[i].from)),
                   chart(drains[i], deadline), numbers(drains[i]));
  if (drains.empty()) body = "<p>No instance was drained.</p>\n";
  if (drains.size() > kMaxDrainCharts)
    body += fmt::format("<p>{} more drains are not drawn.</p>\n", drains.size() - kMaxDrainCharts);
  return section("drains", "Drains", body);
}

}  // namespace hitless::report
