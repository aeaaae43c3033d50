#include "report/html.hpp"
#include "report/parts.hpp"

namespace hitless::report {

namespace {

using witness::SeriesPoint;

constexpr double kTop = 28, kBottom = 184, kLossTop = 198, kLossBottom = 236, kHeight = 260;
constexpr std::size_t kMaxTableRows = 120;

double most_ms(const std::vector<SeriesPoint>& points) {
  double most = 1;
  for (const SeriesPoint& point : points)
    if (point.p95_us) most = std::max(most, static_cast<double>(*point.p95_us) / 1000.0);
  return round_up(most);
}

std::string curve(const std::vector<SeriesPoint>& points, const TimeAxis& axis, double scale,
                  std::optional<std::int64_t> SeriesPoint::* which, const char* css) {
  std::string path;
  bool drawing = false;
  for (const SeriesPoint& point : points) {
    const auto& value = point.*which;
    if (!value) {
      drawing = false;
      continue;
    }
    path += fmt::format("{}{:.1f} {:.1f}", drawing ? "L" : "M",
                        axis.x(point.start_ms + point.width_ms / 2),
                        kBottom - static_cast<double>(*value) / 1000.0 * scale);
    drawing = true;
  }
  return path.empty() ? path : fmt::format("<path class=\"{}\" d=\"{}\"/>", css, path);
}

std::string losses(const std::vector<SeriesPoint>& points, const TimeAxis& axis) {
  std::int64_t most = 0;
  for (const SeriesPoint& point : points) most = std::max(most, point.lost);
  std::string out = label(axis.left - 6, kLossBottom + 1, "0", "axis");
  out += line(axis.left, kLossBottom, axis.right, kLossBottom, "grid");
  if (most == 0) return out + label(axis.left + 6, kLossBottom - 6, "no request was lost", "note");
  out += label(axis.left - 6, kLossTop + 8, std::to_string(most) + " lost", "axis");
  for (const SeriesPoint& point : points) {
    if (point.lost == 0) continue;
    const double x = axis.x(point.start_ms), width = axis.x(point.start_ms + point.width_ms) - x;
    const double height = std::max(3.0, (kLossBottom - kLossTop) * static_cast<double>(point.lost) /
                                            static_cast<double>(most));
    out += fmt::format(
        "<rect class=\"lossbar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">"
        "<title>{} lost at {}</title></rect>",
        x, kLossBottom - height, std::max(3.0, width - 0.5), height, point.lost,
        format_clock(point.start_ms));
  }
  return out;
}

std::string windows(const witness::ProberRecord& prober, const TimeAxis& axis) {
  std::string out;
  for (const witness::Mark& mark : prober.seen.marks) {
    if (!mark.window) continue;
    const double x = axis.x(mark.at_ms);
    out += line(x, kTop, x, kLossBottom, "edge");
    const bool last = *mark.window == witness::Window::after;
    out += label(x + (last ? -4 : 4), last ? kTop + 24 : kTop + 10,
                 last ? "end" : witness::name_of(*mark.window), last ? "note end" : "note");
  }
  return out;
}

std::string chart(const witness::ProberRecord& prober) {
  const std::vector<SeriesPoint>& points = prober.seen.series;
  TimeAxis axis{points.front().start_ms, points.back().start_ms + points.back().width_ms};
  axis.left = 70;
  const double top_value = most_ms(points);
  const double scale = (kBottom - kTop) / top_value;
  std::string svg = open_svg(960, kHeight, "Latency and lost requests of " + prober.name);
  svg += time_grid(axis, kTop, kLossBottom);
  svg += label(axis.left - 6, kTop + 5, fmt::format("{:.0f} ms", top_value), "axis");
  svg += label(axis.left - 6, kBottom + 1, "0", "axis");
  svg += line(axis.left, kBottom, axis.right, kBottom, "grid");
  svg += curve(points, axis, scale, &SeriesPoint::p50_us, "p50");
  svg += curve(points, axis, scale, &SeriesPoint::p95_us, "p95");
  svg += windows(prober, axis);
  svg += losses(points, axis);
  svg += label(axis.left, kTop - 12, "— median   - - p95   ▮ lost requests", "note");
  return svg + "</svg>";
}

std::string numbers(const witness::ProberRecord& prober) {
  const auto& points = prober.seen.series;
  const std::size_t step = points.size() / kMaxTableRows + 1;
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const SeriesPoint& point = points[i];
    if (i % step != 0 && point.lost == 0) continue;
    rows.push_back({format_clock(point.start_ms), std::to_string(point.sent),
                    std::to_string(point.lost), ms_text(point.p50_us), ms_text(point.p95_us)});
  }
  return table(fmt::format("{}{}", prober.name,
                           step > 1 ? fmt::format(", every {}th point and all with losses", step)
                                    : std::string()),
               {"From", "Sent", "Lost", "Median", "p95"}, rows);
}

}  // namespace

std::string latency_part(const ReportInput& input) {
  std::string body;
  for (const witness::ProberRecord& prober : input.probers) {
    if (prober.seen.series.empty()) continue;
    body += figure(
        fmt::format("{}: {} requests, {} lost, median {}, p95 {}", prober.name, prober.seen.sent,
                    prober.seen.lost, ms_text(prober.seen.p50_us), ms_text(prober.seen.p95_us)),
        chart(prober), numbers(prober));
  }
  if (body.empty()) body = "<p>No prober ran, so nothing is known of the clients.</p>\n";
  return section("clients", "Clients", body);
}

}  // namespace hitless::report
