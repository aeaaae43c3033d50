#include "report/html.hpp"

#include <cmath>

#include "base/text.hpp"

namespace hitless::report {

std::string safe(std::string_view text, bool keep_newlines) {
  return escape_for_html(escape_for_terminal(text, keep_newlines));
}

std::string table(const std::string& caption, const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<table>";
  if (!caption.empty()) out += "<caption>" + safe(caption) + "</caption>";
  out += "<thead><tr>";
  for (const std::string& cell : head) out += "<th scope=\"col\">" + safe(cell) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < head.size(); ++i)
      out += "<td>" + (i < row.size() ? row[i] : std::string()) + "</td>";
    out += "</tr>\n";
  }
  if (rows.empty()) out += fmt::format("<tr><td colspan=\"{}\">nothing</td></tr>\n", head.size());
  return out + "</tbody></table>\n";
}

std::string figure(const std::string& title, const std::string& svg, const std::string& numbers) {
  return "<figure><figcaption>" + safe(title) + "</figcaption><div class=\"wide\">" + svg +
         "</div><details><summary>The same as a table</summary>" + numbers +
         "</details></figure>\n";
}

std::string section(const std::string& id, const std::string& title, const std::string& body) {
  return "<section id=\"" + safe(id) + "\"><h2>" + safe(title) + "</h2>\n" + body + "</section>\n";
}

std::string ms_text(const std::optional<std::int64_t>& us) {
  if (!us) return "–";
  return fmt::format("{:.1f} ms", static_cast<double>(*us) / 1000.0);
}

double TimeAxis::x(TimeMs at) const {
  const auto whole = static_cast<double>(std::max<TimeMs>(1, to - from));
  const double share = std::clamp(static_cast<double>(at - from) / whole, 0.0, 1.0);
  return left + share * (right - left);
}

double round_up(double value) {
  double step = 1;
  for (int i = 0; i < 60 && step < value; ++i) {
    for (const double factor : {1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0}) {
      if (step * factor >= value) return step * factor;
    }
    step *= 10;
  }
  return step;
}

std::string time_grid(const TimeAxis& axis, double top, double bottom) {
  const auto whole = static_cast<double>(std::max<TimeMs>(1, axis.to - axis.from));
  const double step = round_up(whole / 10);
  std::string out;
  for (int i = 0; i <= 10; ++i) {
    const double at = step * i;
    if (at > whole) break;
    const double x = axis.x(axis.from + static_cast<TimeMs>(at));
    out += line(x, top, x, bottom, "grid");
    out += label(x, bottom + 14, i == 0 ? "0" : "+" + format_duration(static_cast<DurationMs>(at)),
                 "tick");
  }
  return out;
}

std::string open_svg(double width, double height, const std::string& label_text) {
  return fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" "
      "xmlns=\"http://www.w3.org/2000/svg\">",
      width, height, safe(label_text));
}

std::string line(double x1, double y1, double x2, double y2, const char* css_class) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                     css_class, x1, y1, x2, y2);
}

std::string label(double x, double y, const std::string& text, const char* css_class) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", css_class, x, y,
                     safe(text));
}

}  // namespace hitless::report
