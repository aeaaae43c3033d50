// What a configuration change is called, wherever it came from: the words that rollouts, plans and
// screens share. Plain values.
//
// Invariants: before/after are already redacted when a Change is built, so storing or sending one
// is safe; they are not yet escaped for a terminal (render_changes does that). An unknown thing
// that changed is never ChangeClass::none. Nothing in this layer does I/O, so a crash loses
// nothing.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::confdiff {

using Files = std::map<std::string, std::string>;  // absolute path → content

// Ordered by how much it takes: the class of a whole diff is the largest of its changes.
enum class ChangeClass {
  none,          // nothing to do: comments, layout
  reload,        // a reload applies it, low risk
  reload_watch,  // a reload applies it, but state is lost or clients may notice: watch it
  restart,       // a reload would not apply it (often without saying so)
  human_only,    // not without a person
};
enum class ChangeKind { added, removed, changed };
enum class Kind { nginx, haproxy, apache, sshd, systemd_unit, env_file, text };

// What a change is about, for "only upstream pool change, no listen port changes".
enum class Topic {
  upstream,  // members and settings of a pool of servers
  listen,    // the set of sockets listened on
  body,      // how requests are answered: servers, locations, headers, rules
  tls,
  logs,
  timeouts,
  zones,    // shared memory: limits, caches, stick tables
  process,  // the program itself: user, workers, modules, pid, unit settings
  env,      // environment variables
  unknown,  // something this program has no rule for
  file,     // a file compared as text only
  layout,   // no change of meaning
  error,    // it could not be parsed
};

struct Change {
  ChangeKind kind = ChangeKind::changed;
  std::string path;           // "http > upstream api > server 10.0.0.7:80"
  std::string before, after;  // redacted
  std::string file;           // where: in the new files, or in the old ones when removed
  int line = 0, column = 0;   // from 1; 0: the whole file
  ChangeClass change_class = ChangeClass::reload_watch;
  Topic topic = Topic::unknown;
  std::string reason;  // why this class, one line
};

// What only the caller knows about the service.
struct Context {
  std::string health_path;  // path of the load balancer's health check; empty: unknown
  int port = 0;             // port the load balancer sends to; 0: unknown
};

struct ParseError {
  std::string what;
  std::string file;
  int line = 0, column = 0;
  std::string excerpt;  // the source line and a caret under the place, two lines; escaped, redacted
};
[[nodiscard]] Error to_error(const ParseError& error);
[[nodiscard]] std::string place_of(const ParseError& error);  // file:line:column
// The excerpt for a place in content.
[[nodiscard]] std::string excerpt_of(std::string_view content, int line, int column);

struct WhatChanged {
  bool nothing = true;         // no change at all, not even of layout
  bool meaning = false;        // something above ChangeClass::none
  bool upstream_only = false;  // all changes of meaning are inside upstream pools
  bool upstream = false, listen = false, body = false, tls = false, logs = false;
  bool timeouts = false, zones = false, process = false, env = false, unknown = false;
  bool parse_error = false;
};

struct Summary {
  ChangeClass change_class = ChangeClass::none;
  int added = 0, removed = 0, changed = 0;  // changes of meaning
  WhatChanged what_changed;
  std::string text;  // "+3 −1, only upstream pool change, no listen port changes"
};

struct DiffResult {
  std::vector<Change> changes;
  Summary summary;
  std::optional<ParseError> before_error;  // what is on disk does not parse
  std::optional<ParseError> after_error;   // what is to be applied does not parse
};

[[nodiscard]] const char* name_of(ChangeClass change_class);  // "none", "reload", "reload-watch", …
[[nodiscard]] const char* name_of(ChangeKind kind);
[[nodiscard]] const char* name_of(Kind kind);
[[nodiscard]] const char* name_of(Topic topic);

}  // namespace hitless::confdiff
