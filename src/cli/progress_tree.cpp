#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "base/time.hpp"
#include "base/utf8.hpp"
#include "cli/progress_kinds.hpp"
#include "core/capacity.hpp"
#include "core/instance_fsm.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"

namespace hitless::cli {
namespace {

using core::PhaseName;

constexpr std::size_t kMaxRows = 40;  // instances; fewer when the terminal is lower
constexpr int kOtherRows = 5;         // header, "and more", clients, keys, the cursor's own

// A row that wraps would be two when the tree is drawn again, and leave one behind.
std::string fit(const std::string& text, std::size_t columns) {
  if (display_width(text) <= columns) return text;
  std::size_t used = 0, end = 0;
  while (end < text.size()) {
    const Decoded next = decode_utf8(std::string_view(text).substr(end));
    const std::size_t width = next.valid ? width_of(next.code) : 1;
    if (used + width + 1 > columns) break;
    used += width;
    end += next.size;
  }
  return text.substr(0, end) + "…";
}

// Those that a person wants to see when not all fit: in work, then what went wrong, then who is
// next, then who was last.
std::vector<bool> chosen(const core::State& state, std::size_t room) {
  const std::size_t all = state.instances.size();
  std::vector<bool> shown(all, all <= room);
  if (all <= room) return shown;
  const auto take = [&](std::size_t i) {
    if (shown[i] || room == 0) return;
    shown[i] = true;
    --room;
  };
  const auto phase = [&](std::size_t i) { return core::name_of(state.instances[i].phase); };
  for (std::size_t i = 0; i < all; ++i)
    if (core::in_work(state.instances[i]) && !core::is_terminal(state.instances[i])) take(i);
  for (std::size_t i = 0; i < all; ++i)
    if (phase(i) == PhaseName::quarantined || phase(i) == PhaseName::rolling_back) take(i);
  std::size_t next = (room + 1) / 2;
  for (std::size_t i = 0; i < all && next > 0; ++i)
    if (!core::is_terminal(state.instances[i]) && !shown[i]) take(i), --next;
  for (std::size_t i = all; i-- > 0;)
    if (core::is_terminal(state.instances[i])) take(i);
  for (std::size_t i = 0; i < all; ++i) take(i);
  return shown;
}

// From the pace so far; empty until there is one.
std::string time_left(const core::State& state, std::size_t done, core::TimeMs now) {
  std::size_t finished = 0;
  core::DurationMs spent = 0;
  for (const core::Instance& i : state.instances) {
    if (core::name_of(i.phase) != PhaseName::done) continue;
    ++finished;
    spent += i.ended_at - i.started_at;
  }
  const std::size_t left = state.instances.size() - done;
  if (finished == 0 || left == 0 || state.halted) return {};
  core::DurationMs whole = spent / static_cast<core::DurationMs>(finished) *
                           static_cast<core::DurationMs>(left) /
                           std::max<core::DurationMs>(1, state.plan.policy.capacity.at_once);
  for (const core::Instance& i : state.instances)
    if (core::in_work(i) && !core::is_terminal(i)) whole -= now - i.started_at;
  return ", about " + format_duration(std::max<core::DurationMs>(whole, 1'000) / 1000 * 1000) +
         " left";
}

std::string spark(const std::vector<std::int64_t>& samples) {
  static constexpr std::array<const char*, 8> kBars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::size_t kWidth = 8;
  if (samples.size() < 2) return {};
  std::int64_t top = 1;
  for (std::int64_t s : samples) top = std::max(top, s);
  std::string out;
  const std::size_t first = samples.size() > kWidth ? samples.size() - kWidth : 0;
  for (std::size_t i = first; i < samples.size(); ++i) {
    out += kBars[static_cast<std::size_t>(samples[i] * 7 / top)];
  }
  return out;
}

std::string done_text(const core::State& state, const core::Instance& instance) {
  std::string text = core::render_samples(instance.drain_samples) + "  " +
                     std::string(core::to_string(state.plan.action)) + " proven";
  if (instance.median_us > 0)
    text += fmt::format("  {:.0f}ms", static_cast<double>(instance.median_us) / 1000.0);
  return text + "  " + format_duration(instance.ended_at - instance.started_at);
}

std::string work_text(const core::State& state, const core::Instance& instance, core::TimeMs now,
                      const Terminal& t) {
  const PhaseName phase = core::name_of(instance.phase);
  std::string text = (instance.direction == core::Direction::backward ? "rollback: " : "") +
                     std::string(core::to_string(phase));
  if (const auto* draining = std::get_if<core::Draining>(&instance.phase)) {
    text = core::render_samples(draining->samples);
    if (t.utf8) text += " " + spark(draining->samples);
    if (instance.reading && instance.reading->in_flight && instance.reading->host_connections) {
      text += fmt::format("  lb {} host {}", *instance.reading->in_flight,
                          *instance.reading->host_connections);
    }
    const auto left = draining->since + state.plan.policy.drain.deadline_ms - now;
    text += "  deadline in " + format_duration(std::max<core::TimeMs>(left, 0) / 1000 * 1000);
  } else if (const auto* verifying = std::get_if<core::Verifying>(&instance.phase)) {
    text += fmt::format("  {} passes", verifying->passes);
    if (!verifying->last_health.empty()) text += "  " + verifying->last_health;
  }
  return text;
}

std::string row_of(const core::State& state, const core::Instance& instance, core::TimeMs now,
                   const Terminal& t) {
  const PhaseName phase = core::name_of(instance.phase);
  const std::string name = fmt::format("{:<8}", host_part(instance.plan.id));
  const auto show = [&](Ink ink, const char* glyph, const std::string& text) {
    const std::string line = t.plain(name + " " + escape_for_terminal(text));
    constexpr std::size_t kLead = 6;  // branch and glyph
    return t.paint(ink, t.plain(glyph)) + " " +
           t.plain(fit(line, static_cast<std::size_t>(t.width) - kLead));
  };
  switch (phase) {
    case PhaseName::done:
      return show(Ink::good, "✔", done_text(state, instance));
    case PhaseName::rolled_back:
      return show(Ink::warn, "✔", "rolled back  " + instance.failure);
    case PhaseName::quarantined:
      return show(Ink::bad, "✖", "QUARANTINED  " + instance.failure);
    case PhaseName::skipped:
      return show(Ink::dim, "⊘", "skip  " + std::get<core::Skipped>(instance.phase).reason);
    case PhaseName::waiting:
      return show(Ink::dim, "·", "");
    case PhaseName::preflight:
      return show(Ink::dim, "·", instance.report ? "ready" : "preflight");
    case PhaseName::rolling_back:
      return show(Ink::warn, "◐", "waits for its rollback");
    default:
      return show(Ink::bold, "◐", work_text(state, instance, now, t));
  }
}

}  // namespace

std::vector<std::string> tree_rows(const core::State& state, core::TimeMs now, const Terminal& t,
                                   const std::string& clients) {
  std::size_t done = 0;
  for (const core::Instance& i : state.instances) done += core::is_terminal(i) ? 1 : 0;
  std::vector<std::string> rows;
  const auto width = static_cast<std::size_t>(t.width) - 1;
  const std::string head = fmt::format("{}  {}", state.plan.rollout, state.plan.service);
  const std::string rest = fmt::format(
      "  {}/{} done  serving {} (floor {})  {}{}", done, state.instances.size(),
      core::serving(state), state.plan.policy.capacity.floor,
      format_duration((now - state.started_at) / 1000 * 1000), time_left(state, done, now));
  const std::string line = fit(head + rest, width);
  rows.push_back(t.paint(Ink::bold, line.substr(0, head.size())) +
                 (line.size() > head.size() ? t.plain(line.substr(head.size())) : ""));
  const std::size_t room =
      std::min(kMaxRows, static_cast<std::size_t>(std::max(1, t.height - kOtherRows)));
  const std::vector<bool> shown = chosen(state, room);
  const auto left_out = static_cast<std::size_t>(std::count(shown.begin(), shown.end(), false));
  for (std::size_t i = 0; i < state.instances.size(); ++i) {
    if (!shown[i]) continue;
    const bool last = left_out == 0 && i + 1 == state.instances.size();
    rows.push_back(t.plain(last ? "└─ " : "├─ ") + row_of(state, state.instances[i], now, t));
  }
  if (left_out > 0) rows.push_back(t.plain(fmt::format("└─ … and {} more", left_out)));
  if (!clients.empty())
    rows.push_back(t.plain(fit("clients   " + escape_for_terminal(clients), width)));
  rows.push_back(
      t.paint(Ink::dim, t.plain(fit("Ctrl-C: stop at the next safe point; twice: abort and roll "
                                    "back",
                                    width))));
  return rows;
}

void TreeProgress::on_entry(const core::Entry& entry, const core::State& after) {
  std::vector<Line> lines = narrate(entry, state_, after);
  state_ = after;
  if (lines.empty()) return;
  erase();
  for (const Line& line : lines) {
    fmt::print(context_.stream, "{}\n",
               render_line(line, after.plan.rollout, context_.terminal, true));
  }
  draw(entry.at);
}

void TreeProgress::on_tick(core::TimeMs now) {
  if (state_.started_at == 0 || state_.ended) return;
  erase();
  draw(now);
}

void TreeProgress::draw(core::TimeMs now) {
  if (state_.ended) return;
  const std::vector<std::string> rows = tree_rows(
      state_, now, context_.terminal, context_.clients ? context_.clients() : std::string());
  for (const std::string& row : rows) fmt::print(context_.stream, "{}\x1b[K\n", row);
  drawn_rows_ = static_cast<int>(rows.size());
  std::fflush(context_.stream);
}

void TreeProgress::erase() {
  if (drawn_rows_ > 0) fmt::print(context_.stream, "\x1b[{}A\x1b[J", drawn_rows_);
  drawn_rows_ = 0;
}

void TreeProgress::finish() {
  erase();
  std::fflush(context_.stream);
}

}  // namespace hitless::cli
