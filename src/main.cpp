// hitless: from here to the run loop it is two jumps: cli::run picks the verb (verb_rollout.cpp for
// restart, reload and apply), which calls engine::run_rollout (engine/run_loop.cpp).
#include <cstdio>
#include <exception>

#include "cli/app.hpp"
#include "cli/streams.hpp"

int main(int argc, char** argv) {
  hitless::cli::guard_streams();
  try {
    return hitless::cli::finish_streams(hitless::cli::run(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr,
                 "error: internal: %s\n   = help: this is a bug in hitless; please report it\n",
                 e.what());
    return hitless::cli::finish_streams(hitless::cli::kError);
  }
}
