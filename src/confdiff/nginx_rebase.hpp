// The same nginx configuration in another folder, so that `nginx -t -c <to_dir>/nginx.conf` tests a
// new tree without touching the live one.
//
// Only operands of include directives that point under from_dir are rewritten, and the keys of
// files under from_dir; every other byte stays. Files outside from_dir keep their path and content,
// so what they contain is taken from the live disk by the test: write out only what lies under
// to_dir.
//
// nginx resolves relative paths of certificates, keys, password and code files against the folder
// of the main file, which is now to_dir: the caller copies or symlinks what staging_needs names (or
// simply symlinks every entry of from_dir that is not among the files). Paths of `root`, logs, pid,
// caches and `load_module modules/…` stay as they are (they are absolute, or relative to nginx's
// prefix). Beware: `nginx -t` opens the log files, creates cache and temp folders and, when the pid
// path is new, an empty pid file (1.22.1); a changed pid path is human_only and must not get that
// far.
#pragma once
#include <string>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

[[nodiscard]] Files rebase_nginx(const Files& files, const std::string& main_path,
                                 const std::string& from_dir, const std::string& to_dir);

// Files named relative to the main file's folder that are not among `files`, as written
// ("certs/a.pem").
[[nodiscard]] std::vector<std::string> staging_needs(const Files& files,
                                                     const std::string& main_path);

}  // namespace hitless::confdiff
