// Which files a configuration includes, by the dialect it is written in; and the same text for a
// staged copy. Pure, and lenient: a file that the program will refuse is read as far as it makes
// sense, so that it is the program that says what is wrong with it.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hitless::service {

// plain: no includes that we know of.
enum class Dialect { plain, nginx, apache, php_fpm };

struct ConfigFacts {
  std::vector<std::string> includes;  // absolute patterns, in order
  std::string root;       // Apache's ServerRoot, where relative includes start; empty: not set
  std::string error_log;  // nginx: of the main context, absolute; empty: none that is a file
  bool has_pid = false;   // nginx: sets the pid file
};
// folder: where relative includes start. prefix: where nginx's relative logs do.
[[nodiscard]] ConfigFacts scan_config(Dialect dialect, std::string_view text,
                                      const std::string& folder, const std::string& prefix);

// The text as it must read below `stage`, a folder that mirrors "/": absolute includes (and for
// nginx words that name a file in `staged_paths`) get the stage in front. Lines keep their numbers.
[[nodiscard]] std::string rewrite_config(Dialect dialect, std::string_view text,
                                         const std::string& stage,
                                         const std::set<std::string>& staged_paths);

}  // namespace hitless::service
