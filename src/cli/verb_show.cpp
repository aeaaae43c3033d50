#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/app.hpp"
#include "cli/card.hpp"
#include "cli/narrate.hpp"
#include "cli/progress_kinds.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

void print_story(const App& app, const std::vector<core::Entry>& entries) {
  core::State state;
  for (const core::Entry& entry : entries) {
    core::State after = core::apply(state, entry.event, entry.at);
    for (const Line& line : narrate(entry, state, after)) {
      fmt::print("{:>5}  {}\n", entry.seq, render_line(line, entry.rollout, app.out, true));
    }
    state = std::move(after);
  }
}

void print_instances(const App& app, const core::State& state) {
  fmt::print("\n{:<16} {:<13} {:<9} {}\n", "INSTANCE", "PHASE", "DIRECTION", "LOAD BALANCER");
  for (const core::Instance& instance : state.instances) {
    const std::string seen =
        instance.reading ? std::string(core::to_string(instance.reading->state)) : "not seen";
    fmt::print("{:<16} {:<13} {:<9} {}{}\n", instance.plan.id.value,
               core::to_string(core::name_of(instance.phase)), core::to_string(instance.direction),
               seen, instance.taken_out ? app.out.plain("  — taken out by this rollout") : "");
  }
}

}  // namespace

int verb_show(App& app) {
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  auto found = replay(**journal, app.options.id, app.options.at_seq);
  if (!found) return failed(app, found.error());
  if (app.options.json) {
    fmt::print("{{\"format_version\":1,\"rollout\":{}}}\n", journal::quote_json(app.options.id));
    for (const core::Entry& entry : found->entries) {
      fmt::print("{{\"seq\":{},\"at\":\"{}\",\"event\":{}}}\n", entry.seq,
                 format_timestamp(entry.at), journal::event_to_json(entry.event));
    }
    return kOk;
  }
  print_story(app, found->entries);
  print_instances(app, found->state);
  fmt::print("\n");
  if (found->state.ended) {
    fmt::print("{}", result_card(found->state, {}, app.out));
  } else {
    fmt::print("{} {} had not ended at journal entry {}.\n",
               app.out.paint(Ink::warn, app.out.warning()), app.options.id,
               found->entries.back().seq);
  }
  return kOk;
}

}  // namespace hitless::cli
