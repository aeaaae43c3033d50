// The command line as plain values. Parsing (CLI11, slow to compile) lives in options.cpp alone.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/progress.hpp"
#include "cli/terminal.hpp"

namespace hitless::cli {

struct Options {
  std::string verb;
  std::string fleet_file;  // --fleet; empty: looked up
  std::string state_dir;   // --state-dir; empty: looked up
  bool json = false;
  ColorWish color = ColorWish::automatic;
  ProgressKind progress = ProgressKind::automatic;

  std::string service;             // plan, restart, reload, apply, status, doctor
  std::string intent = "restart";  // plan --for
  std::string plan_file;           // --plan, plan --out
  std::vector<std::string> limit;
  std::string canary;
  std::optional<std::int64_t> at_once;
  bool yes = false, no_input = false, dry_run = false, detailed_exitcode = false;
  bool offline = false, no_notify = false;
  bool sudoers = false;               // doctor
  bool if_needed = false;             // reboot
  std::vector<std::string> packages;  // patch
  bool without_way_back = false;      // patch

  bool triggers = false, once = false;  // watch
  std::string every = "60s";            // watch --triggers
  std::string triggers_allow = "act";   // watch --triggers --allow
  std::string listen;                   // watch --triggers --listen: address:port
  std::vector<std::string> words;       // ask
  std::string asked;                    // the sentence that a rollout came from
  bool only_out = false;                // status: only what is out of rotation
  bool no_model = false;                // ask: the vocabulary alone
  bool second_opinion = false;          // incident --model

  std::string id;             // rollout, incident or error code
  std::int64_t at_seq = 0;    // show --at
  int last = 20;              // history
  std::string audit_action;   // verify, export, head, replay
  std::string audit_key;      // audit verify --key
  std::string audit_head;     // audit verify --head
  std::string out;            // report --out
  std::string shell;          // completion
  std::string agent;          // --by-agent: who runs it is not a person
  std::string during_freeze;  // why a person begins something during a freeze
  std::string reason;         // kill-switch engage
  std::string kill_action;    // engage, release, status
  std::string mcp_http;       // mcp --http: address:port; empty: stdio
  std::string mcp_allow = "read";
};

struct Parsed {
  std::optional<Options> options;  // empty: exit at once with exit_code
  int exit_code = 0;
};
// Prints help, version and usage errors itself.
[[nodiscard]] Parsed parse_options(int argc, char** argv);

// For `completion`: the script of one shell.
[[nodiscard]] std::string completion_script(const std::string& shell);

}  // namespace hitless::cli
