#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/state_json.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/app.hpp"
#include "cli/card.hpp"
#include "cli/certificate_store.hpp"
#include "cli/evidence_store.hpp"
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
    fmt::print("{:<16} {:<13} {:<9} {}{}\n", escape_for_terminal(instance.plan.id.value),
               core::to_string(core::name_of(instance.phase)), core::to_string(instance.direction),
               seen, instance.taken_out ? app.out.plain("  — taken out by this rollout") : "");
  }
}

std::vector<std::string> out_of_rotation(const core::State& state) {
  std::vector<std::string> out;
  for (const core::Instance& instance : state.instances) {
    if (instance.taken_out) out.push_back(instance.plan.id.value);
  }
  return out;
}

std::vector<core::Pending> pending_effects(const core::State& state) {
  std::vector<core::Pending> pending;
  if (state.pending) pending.push_back(*state.pending);
  for (const core::Instance& instance : state.instances) {
    if (instance.pending) pending.push_back(*instance.pending);
  }
  return pending;
}

std::string names_of(const core::State& state) {
  const std::string names = join(out_of_rotation(state), ", ");
  return names.empty() ? "none" : escape_for_terminal(names);
}

// What nobody who looks at that moment can leave out: who, what is out, what is under way.
void print_moment(const App& app, const core::State& state, const core::Entry& last) {
  fmt::print("\nafter entry {}, {}\n", last.seq, format_timestamp(last.at));
  fmt::print("  {:<16} {}, {} of {}, controller epoch {}\n", "by",
             escape_for_terminal(state.actor.empty() ? "nobody yet" : state.actor),
             core::to_string(state.plan.intent), escape_for_terminal(state.plan.service),
             state.epoch);
  fmt::print("  {:<16} {}\n", "out of rotation", names_of(state));
  const auto pending = pending_effects(state);
  if (pending.empty()) fmt::print("  {:<16} nothing\n", "under way");
  for (const core::Pending& each : pending) {
    const core::Effect& effect = each.effect;
    const std::string& instance = effect.instance.value;
    fmt::print("  {:<16} {} {}{}{}, intended at {}, outcome not known yet\n", "under way",
               escape_for_terminal(effect.id), core::to_string(effect.kind),
               instance.empty() ? "" : " ", escape_for_terminal(instance),
               format_clock(each.since));
  }
  if (state.halted) {
    fmt::print("  {:<16} {}\n", "halted", app.out.plain(escape_for_terminal(state.halt_reason)));
  }
}

void print_moment_as_json(const core::State& state, const std::vector<core::Entry>& entries) {
  const auto list = [](const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ",") + journal::quote_json(item);
    return "[" + text + "]";
  };
  std::vector<std::string> pending;
  for (const core::Pending& each : pending_effects(state)) pending.push_back(each.effect.id);
  fmt::print(R"({{"format_version":1,"rollout":{},"seq":{},"at":"{}","actor":{},)"
             R"("out_of_rotation":{},"pending":{},"state":{}}})"
             "\n",
             journal::quote_json(entries.back().rollout), entries.back().seq,
             format_timestamp(entries.back().at), journal::quote_json(state.actor),
             list(out_of_rotation(state)), list(pending), journal::state_to_json(state));
}

void print_entries_as_json(const std::string& rollout, const std::vector<core::Entry>& entries) {
  fmt::print("{{\"format_version\":1,\"rollout\":{}}}\n", journal::quote_json(rollout));
  for (const core::Entry& entry : entries) {
    fmt::print("{{\"seq\":{},\"at\":\"{}\",\"event\":{}}}\n", entry.seq, format_timestamp(entry.at),
               journal::event_to_json(entry.event));
  }
}

// A number before the rollout's first entry is not a rollout that does not exist.
Error explain(ports::Journal& journal, const Options& options, const Error& error) {
  if (error.code != ErrorCode::not_found || options.at_seq == 0) return error;
  const auto all = journal.read(options.id, 0);
  if (!all || all->empty()) return error;
  return {ErrorCode::not_found,
          fmt::format("{} had not begun at journal entry {}", options.id, options.at_seq),
          {},
          fmt::format("its entries are among {} to {}", all->front().seq, all->back().seq)};
}

}  // namespace

int verb_show(App& app) {
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  auto found = replay(**journal, app.options.id, app.options.at_seq);
  if (!found) return failed(app, explain(**journal, app.options, found.error()));
  const bool moment = app.options.at_seq != 0;
  if (app.options.json) {
    if (moment) {
      print_moment_as_json(found->state, found->entries);
    } else {
      print_entries_as_json(app.options.id, found->entries);
    }
    return kOk;
  }
  print_story(app, found->entries);
  if (moment) print_moment(app, found->state, found->entries.back());
  print_instances(app, found->state);
  fmt::print("\n");
  if (found->state.ended) {
    CardExtras extras;
    extras.is_shown = true;
    extras.certificate = get_certificate(**journal, app.options.id);
    extras.where = diagnose(**journal, found->state).where;
    fmt::print("{}", result_card(found->state, extras, app.out));
  } else {
    fmt::print("{} {} had not ended at journal entry {}.\n",
               app.out.paint(Ink::warn, app.out.warning()), app.options.id,
               found->entries.back().seq);
  }
  return kOk;
}

}  // namespace hitless::cli
