// The kinds of progress display, for make_progress() and their tests.
#pragma once
#include "cli/narrate.hpp"
#include "cli/progress.hpp"

namespace hitless::cli {

// One narrated line as the terminal shows it.
[[nodiscard]] std::string render_line(const Line& line, const std::string& rollout,
                                      const Terminal& terminal, bool with_clock);

class PlainProgress : public Progress {
 public:
  explicit PlainProgress(ProgressContext context) : context_(std::move(context)) {}
  void on_entry(const core::Entry& entry, const core::State& after) override;
  void on_tick(core::TimeMs now) override;
  void finish() override {}

 private:
  ProgressContext context_;
  core::State state_;
  core::TimeMs last_output_ = 0;
};

class TreeProgress : public Progress {
 public:
  explicit TreeProgress(ProgressContext context) : context_(std::move(context)) {}
  void on_entry(const core::Entry& entry, const core::State& after) override;
  void on_tick(core::TimeMs now) override;
  void finish() override;

 private:
  void draw(core::TimeMs now);
  void erase();
  ProgressContext context_;
  core::State state_;
  int drawn_rows_ = 0;
};

class JsonProgress : public Progress {
 public:
  explicit JsonProgress(ProgressContext context) : context_(std::move(context)) {}
  void on_entry(const core::Entry& entry, const core::State& after) override;
  void on_tick(core::TimeMs) override {}
  void finish() override {}

 private:
  ProgressContext context_;
  bool started_ = false;
};

class QuietProgress : public Progress {
 public:
  void on_entry(const core::Entry&, const core::State&) override {}
  void on_tick(core::TimeMs) override {}
  void finish() override {}
};

// The rows of the tree, without escape codes for cursor movement; exposed for tests.
[[nodiscard]] std::vector<std::string> tree_rows(const core::State& state, core::TimeMs now,
                                                 const Terminal& terminal,
                                                 const std::string& clients);

}  // namespace hitless::cli
