// What this layer must know of an nginx file's text: which files it includes, where it logs, and
// the same text for a staged copy. Pure, and lenient: a file that nginx will refuse is read up to
// the error, so that it is nginx that says what is wrong with it.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hitless::service {

struct NginxFacts {
  std::vector<std::string> includes;  // absolute patterns, in order
  std::string error_log;              // of the main context, absolute; empty: none that is a file
  bool has_pid = false;               // sets the pid file
};
// conf_folder: folder of the main file, where relative includes start. prefix: where relative logs
// do.
[[nodiscard]] NginxFacts scan_nginx(std::string_view text, const std::string& conf_folder,
                                    const std::string& prefix);

// The text as it must read below `stage`, a folder that mirrors "/": absolute includes and words
// that name a file in `staged_paths` get the stage in front, the pid file becomes one in the stage
// (nginx -t would create the real one). Lines keep their numbers.
[[nodiscard]] std::string rewrite_for_stage(std::string_view text, const std::string& stage,
                                            const std::set<std::string>& staged_paths);

}  // namespace hitless::service
