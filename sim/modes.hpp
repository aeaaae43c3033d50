// What the program can do; each prints its figures as its last lines and returns the exit code.
#pragma once
#include <cstdint>
#include <string>

#include "sim/world.hpp"

namespace hitless::sim {

enum class Mode { seeds, planted, exhaustive, regress };

struct Options {
  Mode mode = Mode::seeds;
  std::uint64_t seeds = 0, first = 1, faults = 2;
  bool one_seed = false;
  std::string regress, bug;
};

int run(const Options& options);
int run_seeds(std::uint64_t first, std::uint64_t count);
int run_one(std::uint64_t seed);
int run_planted(std::uint64_t first);
int run_exhaustive(std::uint64_t faults);
int run_regress(const std::string& file);

// A failing run again, line by line.
void print_transcript(const Scenario& scenario);
[[nodiscard]] double seconds_now();

}  // namespace hitless::sim
