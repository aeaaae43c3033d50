#include "agent/triggers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"

namespace hitless::agent {
namespace {

constexpr std::size_t kLeastSamples = 20;
constexpr DurationMs kLeastSpanMs = 10 * 60'000, kMostAgeMs = 24 * 3'600'000;
constexpr double kLeastR2 = 0.8, kLeastMib = 16, kLeastShare = 0.10;
// A start fills caches and then stays: the later half must go on growing.
constexpr double kLeastOfLaterHalf = 0.5;
constexpr double kMsPerHour = 3'600'000, kKibPerMib = 1'024;
constexpr std::size_t kMaxHistories = 2'000, kMaxUnits = 200;

struct Line {
  double slope = 0, at_first = 0, r2 = 0;  // MiB per hour, MiB
};

// Least squares. Times count from the first sample.
Line fit(const MemorySample* first, std::size_t count) {
  double sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double x = static_cast<double>(first[i].at - first[0].at) / kMsPerHour;
    const double y = static_cast<double>(first[i].kib) / kKibPerMib;
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
    syy += y * y;
  }
  const double n = static_cast<double>(count);
  const double xx = sxx - sx * sx / n, xy = sxy - sx * sy / n, yy = syy - sy * sy / n;
  if (xx <= 0 || yy <= 0) return {0, sy / n, 0};
  const double slope = xy / xx;
  return {slope, (sy - slope * sx) / n, xy * xy / (xx * yy)};
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool plain(std::string_view word) {
  return !word.empty() && word.size() < 300 &&
         word.find_first_of(std::string_view(" \t\n\0", 4)) == std::string_view::npos;
}

}  // namespace

std::string_view to_string(Trigger trigger) {
  constexpr std::array<std::string_view, 6> kNames = {
      "memory_growth", "pending_restart", "drift", "certificate", "alert", "schedule"};
  return kNames.at(static_cast<std::size_t>(trigger));
}

std::string name_of(const Finding& finding) {
  return std::string(to_string(finding.trigger)) + (finding.rule.empty() ? "" : " " + finding.rule);
}

void MemoryHistory::add(const std::string& of_process, MemorySample sample) {
  const bool back = !samples.empty() && sample.at <= samples.back().at;  // the clock was set
  if (of_process != process || back) samples.clear();
  process = of_process;
  samples.push_back(sample);
  const auto old = [&](const MemorySample& each) { return sample.at - each.at > kMostAgeMs; };
  std::erase_if(samples, old);
  // Every other one goes, so that the span stays when there are too many.
  if (samples.size() > kMaxSamples) {
    std::vector<MemorySample> kept;
    for (std::size_t i = samples.size() % 2; i < samples.size(); i += 2) kept.push_back(samples[i]);
    samples = std::move(kept);
  }
}

std::optional<Growth> growth(const MemoryHistory& history) {
  const auto& all = history.samples;
  if (all.size() < kLeastSamples) return std::nullopt;
  const DurationMs span = all.back().at - all.front().at;
  if (span < kLeastSpanMs) return std::nullopt;
  const Line whole = fit(all.data(), all.size());
  const std::size_t half = all.size() / 2;
  const Line later = fit(all.data() + half, all.size() - half);
  const double hours = static_cast<double>(span) / kMsPerHour;
  const double grown = whole.slope * hours;
  const bool grows = whole.slope > 0 && whole.r2 >= kLeastR2 && grown >= kLeastMib &&
                     grown >= kLeastShare * std::max(whole.at_first, 1.0) &&
                     later.slope >= kLeastOfLaterHalf * whole.slope;
  if (!grows) return std::nullopt;
  return Growth{whole.slope, whole.r2, whole.at_first, whole.at_first + grown, span, all.size()};
}

std::string describe(const Growth& growth) {
  return fmt::format(
      "its own memory grows by {:.1f} MiB an hour: {:.0f} to {:.0f} MiB within {} "
      "({} samples, r2 {:.2f})",
      growth.mib_per_hour, growth.from_mib, growth.to_mib, format_duration(growth.span_ms),
      growth.samples, growth.r2);
}

std::vector<std::string> pending_units(std::string_view needrestart) {
  constexpr std::string_view kKey = "NEEDRESTART-SVC:";
  std::vector<std::string> units;
  for (const std::string& line : split(needrestart, '\n')) {
    if (!line.starts_with(kKey) || units.size() >= kMaxUnits) continue;
    std::string unit(trim(std::string_view(line).substr(kKey.size())));
    if (plain(unit)) units.push_back(std::move(unit));
  }
  return units;
}

std::string histories_to_text(const std::vector<NamedHistory>& all) {
  std::string text;
  for (const NamedHistory& each : all) {
    if (!plain(each.instance) || !plain(each.history.process)) continue;
    text += each.instance + " " + each.history.process;
    for (const MemorySample& sample : each.history.samples)
      text += " " + std::to_string(sample.at) + ":" + std::to_string(sample.kib);
    text += "\n";
  }
  return text;
}

std::vector<NamedHistory> histories_from_text(std::string_view text) {
  std::vector<NamedHistory> all;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> words = split(line, ' ');
    if (words.size() < 2 || all.size() >= kMaxHistories) continue;
    NamedHistory one{words[0], {words[1], {}}};
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::size_t colon = words[i].find(':');
      if (colon == std::string::npos) continue;
      const auto at = number(std::string_view(words[i]).substr(0, colon));
      const auto kib = number(std::string_view(words[i]).substr(colon + 1));
      if (at && kib) one.history.add(one.history.process, {*at, *kib});
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace hitless::agent
