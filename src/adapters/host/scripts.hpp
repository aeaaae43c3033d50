// The fixed sh scripts that we run on hosts. $1 is "sudo -n --" or empty where a script says so; it
// is used unquoted. Each command behind it is one that sudoers_lines() names.
#pragma once

namespace hitless::host {

// $1 sudo, $2 path, $3 bytes. sudo only when the file cannot be read without.
extern const char* const read_script;
// $1 sudo, $2 path. Prints type|size|mode|owner|group; does not follow a symlink.
extern const char* const stat_script;
// $1 sudo, $2 path, $3 temp file, $4 sha256 of stdin, $5 mode if new, $6 the file it is like if
// new.
extern const char* const put_script;
inline constexpr int put_not_regular = 81;
inline constexpr int put_read_back_differs = 82;
// $1 port, $2 the same as four hex digits. Prints a count.
extern const char* const connections_script;
// As before. Prints the other end of each, ADDRESS:PORT; the address is only there with ss.
extern const char* const peers_script;

// Operations as transient units. $1 unit without suffix, $2 seconds, $3 service or -, $4 port,
// $5 epoch, $6… argv. Behind the functions of ports/claim_files.hpp, as root.
extern const char* const unit_start_script;
// $1 unit. Waits a slice; prints properties, an empty line and the output. Exit 75: not ended yet.
extern const char* const unit_wait_script;
// $1 sudo, $2 unit, $3 its ActiveState.
extern const char* const unit_collect_script;

// Operations as detached processes; the start as above with the id in place of the unit.
extern const char* const detached_start_script;
extern const char* const detached_wait_script;     // $1 id
extern const char* const detached_collect_script;  // $1 id
inline constexpr int operation_running = 75;
inline constexpr int operation_lost = 90;  // it was started and left no record of its end
inline constexpr int operation_not_started = 91;
inline constexpr int operation_gone = 92;  // no trace of it
inline constexpr int operation_fenced = 94;

}  // namespace hitless::host
