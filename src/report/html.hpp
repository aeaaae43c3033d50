// Small pieces of HTML and SVG; everything that goes in as text is escaped here. Private to
// src/report.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace hitless::report {

// Text from anywhere, safe between tags and in attributes.
[[nodiscard]] std::string safe(std::string_view text, bool keep_newlines = false);

// A table of cells that are HTML already. Rows shorter than the head are filled up.
[[nodiscard]] std::string table(const std::string& caption, const std::vector<std::string>& head,
                                const std::vector<std::vector<std::string>>& rows);
// A chart with its title and the same numbers as a table, folded away on screens.
[[nodiscard]] std::string figure(const std::string& title, const std::string& svg,
                                 const std::string& numbers);
[[nodiscard]] std::string section(const std::string& id, const std::string& title,
                                  const std::string& body);

[[nodiscard]] std::string ms_text(const std::optional<std::int64_t>& us);  // "4.2 ms", "–"

// Time on the horizontal axis of an SVG, from `left` to `right`.
struct TimeAxis {
  TimeMs from = 0, to = 1;
  double left = 150, right = 930;
  [[nodiscard]] double x(TimeMs at) const;
};
// Grid lines and their labels: seconds since the start, at round distances.
[[nodiscard]] std::string time_grid(const TimeAxis& axis, double top, double bottom);
// The next round number (1, 1.5, 2 … 8 × 10^n) at or above the value; at least 1.
[[nodiscard]] double round_up(double value);

[[nodiscard]] std::string open_svg(double width, double height, const std::string& label);
[[nodiscard]] std::string line(double x1, double y1, double x2, double y2, const char* css_class);
[[nodiscard]] std::string label(double x, double y, const std::string& text, const char* css_class);

}  // namespace hitless::report
