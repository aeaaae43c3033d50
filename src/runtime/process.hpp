// Child processes by argv (never a shell string), awaited through the io_context.
// A child that outlives its deadline is killed with its whole process group.
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless {

struct ProcessOutput {
  int exit_code = -1;  // valid when signal == 0
  int signal = 0;
  std::string out, err;  // capped at max_output_bytes each; the rest was read and dropped
};

// Runs argv to its end. Fails with unavailable (cannot be started) or timed_out (killed by us).
Task<Result<ProcessOutput>> run_process(std::vector<std::string> argv, std::string input,
                                        DurationMs deadline_ms,
                                        std::size_t max_output_bytes = 1u << 20);

}  // namespace hitless
