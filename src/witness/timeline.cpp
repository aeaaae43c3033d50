#include "witness/timeline.hpp"

#include <set>

namespace hitless::witness {

using core::PhaseName;

const char* name_of(Window window) {
  switch (window) {
    case Window::baseline:
      return "baseline";
    case Window::rollout:
      return "rollout";
    case Window::soak:
      return "soak";
    case Window::after:
      return "after";
  }
  return "?";
}

bool in_work(PhaseName phase) {
  switch (phase) {
    case PhaseName::draining:
    case PhaseName::drained:
    case PhaseName::acting:
    case PhaseName::verifying:
    case PhaseName::rejoining:
    case PhaseName::soaking:
    case PhaseName::rolling_back:
      return true;
    case PhaseName::waiting:
    case PhaseName::preflight:
    case PhaseName::done:
    case PhaseName::rolled_back:
    case PhaseName::quarantined:
    case PhaseName::skipped:
      return false;
  }
  return false;
}

namespace {

using Phases = std::map<std::string, PhaseName>;

// Calls visit(window, phases, from, to) for each stretch between two marks.
template <class Visit>
void each_stretch(const std::vector<Mark>& marks, const Mark& end, const Visit& visit) {
  Window window = Window::baseline;
  Phases phases;
  Mark before;
  for (const Mark& mark : marks) {
    visit(window, phases, before, mark);
    if (mark.window) {
      window = *mark.window;
    } else {
      phases[mark.instance] = mark.phase;
    }
    before = mark;
  }
  visit(window, phases, before, end);
}

}  // namespace

std::vector<Where> in_work_at(const std::vector<Mark>& marks, TimeMs moment) {
  Phases phases;
  for (const Mark& mark : marks)
    if (mark.at_ms <= moment && !mark.window) phases[mark.instance] = mark.phase;
  std::vector<Where> all;
  for (const auto& [instance, phase] : phases)
    if (in_work(phase)) all.push_back({instance, phase});
  return all;
}

bool was_in_work(const std::vector<Mark>& marks, const std::string& instance, TimeMs from,
                 TimeMs to) {
  bool at_from = false;
  for (const Mark& mark : marks) {
    if (mark.window || mark.instance != instance) continue;
    if (mark.at_ms <= from) {
      at_from = in_work(mark.phase);
    } else if (mark.at_ms <= to && in_work(mark.phase)) {
      return true;
    }
  }
  return at_from;
}

std::vector<Span> drained_spans(const std::vector<Mark>& marks, const std::string& instance) {
  std::vector<Span> spans;
  std::optional<TimeMs> since;
  for (const Mark& mark : marks) {
    if (mark.window || mark.instance != instance) continue;
    if (mark.phase == PhaseName::drained) {
      since = mark.at_ms;
    } else if (mark.phase != PhaseName::acting && mark.phase != PhaseName::verifying) {
      if (since && mark.phase == PhaseName::rejoining) spans.push_back({*since, mark.at_ms});
      since.reset();
    }
  }
  return spans;
}

std::optional<TimeMs> start_of(const std::vector<Mark>& marks, Window window) {
  for (const Mark& mark : marks)
    if (mark.window == window) return mark.at_ms;
  return std::nullopt;
}

Window window_at(const std::vector<Mark>& marks, TimeMs moment) {
  Window window = Window::baseline;
  for (const Mark& mark : marks)
    if (mark.window && mark.at_ms <= moment) window = *mark.window;
  return window;
}

std::map<Window, Stretch> by_window(const std::vector<Mark>& marks, const Mark& end) {
  std::map<Window, Stretch> all;
  each_stretch(marks, end, [&](Window window, const Phases&, const Mark& from, const Mark& to) {
    Stretch& stretch = all[window];
    stretch.sent += to.sent - from.sent;
    stretch.ok += to.ok - from.ok;
    stretch.answered_4xx += to.answered_4xx - from.answered_4xx;
    stretch.http_answers += to.http_answers - from.http_answers;
    stretch.longest_gap_ms = std::max(stretch.longest_gap_ms, to.longest_gap_ms);
  });
  return all;
}

std::map<PhaseName, std::int64_t> sent_by_phase(const std::vector<Mark>& marks, const Mark& end) {
  std::map<PhaseName, std::int64_t> all;
  each_stretch(marks, end,
               [&](Window window, const Phases& phases, const Mark& from, const Mark& to) {
                 if (window == Window::baseline) return;
                 std::set<PhaseName> active;
                 for (const auto& [instance, phase] : phases)
                   if (in_work(phase)) active.insert(phase);
                 for (const PhaseName phase : active) all[phase] += to.sent - from.sent;
               });
  return all;
}

std::map<std::string, std::int64_t> sent_by_instance(const std::vector<Mark>& marks,
                                                     const Mark& end) {
  std::map<std::string, std::int64_t> all;
  each_stretch(marks, end, [&](Window, const Phases& phases, const Mark& from, const Mark& to) {
    for (const auto& [instance, phase] : phases)
      if (in_work(phase)) all[instance] += to.sent - from.sent;
  });
  return all;
}

}  // namespace hitless::witness
