// A program that goes on without us: started in a session of its own, with nothing of ours but a
// log file. It outlives whoever asked for it.
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"

namespace hitless {

// Runs this very program again with these arguments (argv[0] too). Its output goes to the end of
// `log`, which is made with mode 0600; environment variables named in `without` are left out. The
// log is locked (flock) for as long as it runs: see is_running(). Fails with refused when it is
// locked.
[[nodiscard]] Status start_ourselves_detached(const std::vector<std::string>& argv,
                                              const std::string& log,
                                              const std::vector<std::string>& without);
// Does a program that was started with this log still run?
[[nodiscard]] bool is_running(const std::string& log);

}  // namespace hitless
