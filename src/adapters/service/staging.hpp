// Tests a configuration as it would be, in a private copy on the host: a folder that mirrors "/",
// with the configuration's files as real files and everything beside them (certificates, maps) as
// links, so that relative names still resolve. Nothing live is touched, and the copy goes away with
// the test, also when the test is interrupted.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "adapters/service/config_tree.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::service {

inline constexpr const char* kSyntaxCheck = "Configuration syntax";

struct StagedTest {
  std::vector<std::string> argv;  // {config}: the staged main file, {dir}: its folder
  std::string title;              // "nginx -t", for the evidence
  Dialect dialect = Dialect::plain;
  bool own_pid_file = false;  // nginx: `-g "pid …"` may be added when no file sets one
};

// For services that systemd runs: a unit file among them would be installed, and the restart go on
// with the one that systemd has loaded, because nothing here tells it to load units anew.
[[nodiscard]] std::optional<core::Check> refuse_unit_files(const ports::Files& changed);

[[nodiscard]] bool has_placeholder(const std::vector<std::string>& argv);
Task<core::Check> test_staged(ports::Host* host, ConfigTree* tree, StagedTest test,
                              ports::Files changed);
// A test command of the user's. Without a placeholder it can only test what is on disk, so with
// changed files the answer is unknown.
[[nodiscard]] core::Check no_test_command();  // says so
Task<core::Check> test_command(ports::Host* host, ConfigTree* tree, std::vector<std::string> argv,
                               ports::Files changed);

// nginx's output → what it says, with the staged paths as the real ones. For tests, too.
[[nodiscard]] core::Check judge_test_output(const StagedTest& test, const std::string& stage,
                                            const ports::ExecResult& result);

}  // namespace hitless::service
