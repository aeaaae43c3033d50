// Showing a rollout while it runs. Every kind is fed the same entries; none can change the rollout.
//
//   tree   a person watches: a tree that is redrawn, history scrolls above it
//   plain  not a terminal: a line per event, and a heartbeat every 10 s
//   json   JSON Lines; the first line carries format_version
//   quiet  nothing but the card at the end
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "cli/terminal.hpp"
#include "core/state.hpp"

namespace hitless::cli {

enum class ProgressKind { automatic, tree, plain, json, quiet };

struct ProgressContext {
  Terminal terminal;
  std::FILE* stream = stderr;
  std::function<std::string()> clients;                          // prober's line; may be empty
  std::function<std::string(const core::Entry&)> entry_as_json;  // for json
};

class Progress {
 public:
  virtual ~Progress() = default;
  virtual void on_entry(const core::Entry& entry, const core::State& after) = 0;
  virtual void on_tick(core::TimeMs now) = 0;  // a few times a second
  virtual void finish() = 0;                   // leaves the screen clean for the card
};

[[nodiscard]] std::unique_ptr<Progress> make_progress(ProgressKind kind, ProgressContext context);

}  // namespace hitless::cli
