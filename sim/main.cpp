// hitless-sim: seeds, planted bugs, the exhaustive search. ./dev sim runs it.
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <string>

#include "sim/modes.hpp"

namespace {

constexpr const char* kUsage =
    "usage: hitless-sim [--seeds N] [--seed S] [--planted] [--exhaustive [--faults N]]\n"
    "                   [--regress FILE] [--bug NAME]\n"
    "  --seeds N       that many seeds, from --seed on (default 1)\n"
    "  --seed S        without --seeds: this one, with its transcript\n"
    "  --planted       plants each known bug and shows the seed that finds it\n"
    "  --exhaustive    every order of up to N faults (default 2), 3 hosts, 2 controllers\n"
    "  --regress FILE  the seeds listed there\n"
    "  --bug NAME      with this bug planted\n";

}  // namespace

int main(int argc, char** argv) {
  hitless::sim::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    const auto number = [&](std::uint64_t* out) {
      if (value == nullptr) return false;
      char* rest = nullptr;
      *out = std::strtoull(value, &rest, 10);
      ++i;
      return rest != value && *rest == '\0';
    };
    bool ok = true;
    if (flag == "--seeds") {
      ok = number(&options.seeds);
    } else if (flag == "--seed") {
      ok = number(&options.first);
      options.one_seed = true;
    } else if (flag == "--faults") {
      ok = number(&options.faults);
    } else if (flag == "--planted") {
      options.mode = hitless::sim::Mode::planted;
    } else if (flag == "--exhaustive") {
      options.mode = hitless::sim::Mode::exhaustive;
    } else if ((flag == "--regress" || flag == "--bug") && value != nullptr) {
      (flag == "--bug" ? options.bug : options.regress) = value;
      if (flag == "--regress") options.mode = hitless::sim::Mode::regress;
      ++i;
    } else {
      ok = false;
    }
    if (!ok) {
      fmt::print(stderr, "hitless-sim: cannot use '{}'\n{}", flag, kUsage);
      return 64;
    }
  }
  return hitless::sim::run(options);
}
