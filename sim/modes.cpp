#include "sim/modes.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "sim/planted.hpp"

namespace hitless::sim {
namespace {

constexpr int kShownFailures = 3;  // with their transcripts; more are only counted
constexpr int kNamedFailures = 100;
constexpr std::uint64_t kTwiceEvery = 256;  // I11: these seeds run twice
constexpr std::uint64_t kPlantedSeeds = 1'000;

std::string command_of(std::uint64_t seed) {
  return fmt::format("./dev sim --seed {}", seed);
}

}  // namespace

double seconds_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

void print_transcript(const Scenario& scenario) {
  World world(scenario);
  std::vector<std::string> lines;
  world.transcript = &lines;
  const Ending ending = world.run();
  for (const std::string& line : lines) fmt::print("{}\n", line);
  if (ending.broken) {
    fmt::print("broken: {} at {:.3f}s: {}\n", ending.broken->rule,
               static_cast<double>(ending.broken->at) / 1000.0, ending.broken->what);
  }
}

int run_one(std::uint64_t seed) {
  const Scenario scenario = draw(seed);
  print_transcript(scenario);
  const Ending ending = World(scenario).run();
  fmt::print("result: {}, {} journal entries, {} takeovers, {:.1f} virtual seconds\n",
             ending.result, ending.entries, ending.takeovers,
             static_cast<double>(ending.took) / 1000.0);
  fmt::print("1 seed, {} violations\nhash: {:016x}\n", ending.broken ? 1 : 0, ending.hash);
  return ending.broken ? 1 : 0;
}

int run_seeds(std::uint64_t first, std::uint64_t count) {
  const double start = seconds_now();
  std::uint64_t hash = 0;
  int violations = 0;
  std::map<std::string, std::uint64_t> results, rules;
  std::int64_t entries = 0, takeovers = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Ending ending = World(draw(seed)).run();
    if (!ending.broken && seed % kTwiceEvery == 0 && World(draw(seed)).run().hash != ending.hash)
      ending.broken = Broken{"I11", "the same seed ran otherwise", 0};
    hash = mix(hash ^ ending.hash);
    ++results[ending.result];
    entries += ending.entries;
    takeovers += ending.takeovers;
    if (!ending.broken) continue;
    ++rules[ending.broken->rule];
    if (++violations <= kShownFailures) print_transcript(draw(seed));
    if (violations > kNamedFailures) continue;
    fmt::print("seed {} breaks {}: {}\nreplay: {}\n\n", seed, ending.broken->rule,
               ending.broken->what, command_of(seed));
  }
  const double took = seconds_now() - start;
  for (const auto& [result, n] : results) fmt::print("{:>9}  {}\n", n, result);
  for (const auto& [rule, n] : rules) fmt::print("{:>9}  broke {}\n", n, rule);
  fmt::print("{:>9}  journal entries, {} takeovers\n", entries, takeovers);
  fmt::print("{} seeds, {} violations, {:.0f} seeds/s\nhash: {:016x}\n", count, violations,
             static_cast<double>(count) / took, hash);
  return violations == 0 ? 0 : 1;
}

int run_planted(std::uint64_t first) {
  fmt::print("{:<26} {:<8} {:>6} {:>7} {:>8}  {}\n", "bug", "rule", "seed", "seeds", "time",
             "what it does");
  std::size_t found = 0;
  for (const PlantedBug& bug : planted_bugs()) {
    plant(bug);
    const double start = seconds_now();
    std::optional<Broken> broken;
    std::uint64_t seeds = 0;
    while (!broken && seeds < kPlantedSeeds) {
      const std::uint64_t seed = first + seeds++;
      broken = World(draw(seed)).run().broken;
      if (!broken) continue;
      plant();  // what breaks without the bug too has not found it
      if (World(draw(seed)).run().broken) broken.reset();
      plant(bug);
    }
    found += broken ? 1 : 0;
    fmt::print("{:<26} {:<8} {:>6} {:>7} {:>6.0f}ms  {}\n", bug.name, broken ? broken->rule : "-",
               broken ? std::to_string(first + seeds - 1) : "-", seeds,
               (seconds_now() - start) * 1000, bug.what);
    plant();
  }
  fmt::print("planted bugs found: {} of {}\n", found, planted_bugs().size());
  return found == planted_bugs().size() ? 0 : 1;
}

// One seed a line; what follows it is what it once found.
int run_regress(const std::string& file) {
  std::ifstream in(file);
  if (!in) {
    fmt::print(stderr, "hitless-sim: cannot read {}\n", file);
    return 66;
  }
  int seeds = 0, violations = 0;
  for (std::string line; std::getline(in, line);) {
    std::uint64_t seed = 0;
    if (!(std::istringstream(line) >> seed)) continue;
    ++seeds;
    const Ending ending = World(draw(seed)).run();
    if (!ending.broken) continue;
    ++violations;
    fmt::print("seed {} breaks {} again: {}\nreplay: {}\n", seed, ending.broken->rule,
               ending.broken->what, command_of(seed));
  }
  fmt::print("{} regression seeds, {} violations\n", seeds, violations);
  return violations == 0 && seeds > 0 ? 0 : 1;
}

int run(const Options& options) {
  for (const PlantedBug& bug : planted_bugs()) {
    if (!options.bug.empty() && bug.name == options.bug) plant(bug);
  }
  switch (options.mode) {
    case Mode::planted:
      return run_planted(options.first);
    case Mode::exhaustive:
      return run_exhaustive(options.faults);
    case Mode::regress:
      return run_regress(options.regress);
    case Mode::seeds:
      break;
  }
  if (options.one_seed && options.seeds == 0) return run_one(options.first);
  return run_seeds(options.first, options.seeds == 0 ? 10'000 : options.seeds);
}

}  // namespace hitless::sim
