#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/narrate.hpp"
#include "cli/progress_kinds.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kHeartbeatMs = 10'000;

}  // namespace

std::string render_line(const Line& line, const std::string& rollout, const Terminal& t,
                        bool with_clock) {
  std::string glyph;
  switch (line.mood) {
    case Mood::neutral:
      break;
    case Mood::good:
      glyph = t.paint(Ink::good, t.tick());
      break;
    case Mood::bad:
      glyph = t.paint(Ink::bad, t.cross());
      break;
    case Mood::warn:
      glyph = t.paint(Ink::warn, t.warning());
      break;
    case Mood::unknown:
      glyph = t.paint(Ink::warn, t.question());
      break;
  }
  std::string out;
  if (with_clock) out += t.paint(Ink::dim, format_clock(line.at)) + " " + rollout + " ";
  if (!line.instance.empty()) out += fmt::format("{:<6} ", escape_for_terminal(line.instance));
  out += t.paint(Ink::bold, "[" + line.tag + "]") + " ";
  const std::string text = t.plain(escape_for_terminal(line.text));
  if (line.detail) return out + "  " + glyph + " " + text;
  return out + text + (glyph.empty() ? "" : " " + glyph);
}

void PlainProgress::on_entry(const core::Entry& entry, const core::State& after) {
  for (const Line& line : narrate(entry, state_, after)) {
    fmt::print(context_.stream, "{}\n",
               render_line(line, after.plan.rollout, context_.terminal, true));
    last_output_ = entry.at;
  }
  std::fflush(context_.stream);
  state_ = after;
}

void PlainProgress::on_tick(core::TimeMs now) {
  if (last_output_ == 0 || now - last_output_ < kHeartbeatMs) return;
  last_output_ = now;
  for (const core::Instance& instance : state_.instances) {
    if (!core::in_work(instance)) continue;
    std::string text = "still " + std::string(core::to_string(core::name_of(instance.phase)));
    if (const auto* draining = std::get_if<core::Draining>(&instance.phase);
        draining != nullptr && instance.reading) {
      const auto count = core::in_flight(*instance.reading, state_.plan.policy.drain.host_count);
      const auto left = draining->since + state_.plan.policy.drain.deadline_ms - now;
      text += ": " + (count ? std::to_string(*count) : std::string("unknown number")) +
              " in flight, deadline in " + format_duration(std::max<core::TimeMs>(left, 0));
    }
    const Line line{now, host_part(instance.plan.id), "FIX", text, Mood::neutral, false};
    fmt::print(context_.stream, "{}\n",
               render_line(line, state_.plan.rollout, context_.terminal, true));
  }
  std::fflush(context_.stream);
}

void JsonProgress::on_entry(const core::Entry& entry, const core::State&) {
  if (!started_)
    fmt::print(context_.stream, "{{\"format_version\":1,\"rollout\":\"{}\"}}\n", entry.rollout);
  started_ = true;
  if (context_.entry_as_json) fmt::print(context_.stream, "{}\n", context_.entry_as_json(entry));
  std::fflush(context_.stream);
}

std::unique_ptr<Progress> make_progress(ProgressKind kind, ProgressContext context) {
  if (kind == ProgressKind::automatic)
    kind = context.terminal.is_tty ? ProgressKind::tree : ProgressKind::plain;
  switch (kind) {
    case ProgressKind::tree:
      return std::make_unique<TreeProgress>(std::move(context));
    case ProgressKind::json:
      return std::make_unique<JsonProgress>(std::move(context));
    case ProgressKind::quiet:
      return std::make_unique<QuietProgress>();
    case ProgressKind::plain:
    case ProgressKind::automatic:
      break;
  }
  return std::make_unique<PlainProgress>(std::move(context));
}

}  // namespace hitless::cli
