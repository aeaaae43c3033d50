// journal_fixture DIR: a journal of two rollouts of the core's small world, for tests of what the
// command line says about a journal. R-1: a new configuration that is sick on the third instance
// and rolled back. R-2: a restart that goes well.
#include <fmt/format.h>

#include <cstdio>

#include "adapters/journal/sqlite_journal.hpp"
#include "core/world_for_tests.hpp"
#include "runtime/process.hpp"

namespace {

using hitless::Status;
using hitless::Task;

Status append(hitless::journal::SqliteJournal& journal, const hitless::core::FakeWorld& world,
              std::int64_t start) {
  for (const auto& [at, event] : world.journal) {
    Status status;
    hitless::run_until_done([&]() -> Task<void> {
      std::vector<hitless::core::Event> events(1, event);
      // The small world names an incident in every outcome; the engine, only when one was opened.
      auto* finished = std::get_if<hitless::core::EffectFinished>(&events.front());
      if (finished != nullptr && world.state.incident.empty()) finished->outcome.incident.clear();
      auto done = co_await journal.append(world.plan.rollout, start + at, std::move(events));
      if (!done) status = tl::unexpected<hitless::Error>(done.error());
    });
    if (!status) return status;
  }
  return {};
}

Status make(const std::string& dir) {
  auto journal = hitless::journal::open_journal(dir, hitless::journal::Mode::read_write);
  if (!journal) return tl::unexpected<hitless::Error>(journal.error());
  hitless::core::FakeWorld sick(3, hitless::core::Intent::apply);
  sick.healthy = [&](const hitless::core::InstanceId& id) {
    return !(id == sick.id(3) && sick.at(3).new_config);
  };
  sick.run();
  constexpr std::int64_t day_ms = 86'400'000;
  constexpr std::int64_t first_day = 20'000 * day_ms;
  if (Status ok = append(**journal, sick, first_day); !ok) return ok;
  hitless::core::FakeWorld well(3);
  well.plan.rollout = "R-2";
  well.run();
  if (Status ok = append(**journal, well, first_day + day_ms); !ok) return ok;
  return (*journal)->close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const Status made = make(argv[1]);
  if (!made) fmt::print(stderr, "{}\n", hitless::describe(made.error()));
  return made ? 0 : 1;
}
