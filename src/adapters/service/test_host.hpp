// For tests of this layer: a Host that really runs commands on this machine, waits for them, and
// can be told to lose the connection. Its PATH may start with a folder of fakes.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ports/host.hpp"

namespace hitless::service {

class TestHost final : public ports::Host {
 public:
  std::string path_prefix;                   // put in front of PATH
  std::vector<std::string> through;          // argv in front of all: the way into a lab host
  std::vector<ports::Operation> operations;  // what was asked for
  std::function<std::optional<Error>(const ports::Operation&)> lose;  // an operation fails so
  std::optional<Error> unreachable;                                   // everything fails so

  std::string name() const override { return "web01"; }
  std::string address() const override { return "127.0.0.1"; }
  bool sudo() const override { return sudo_works.has_value(); }
  std::optional<bool> sudo_works;  // empty: the host has no sudo

  Task<Result<ports::ExecResult>> exec(std::vector<std::string> argv, std::string input,
                                       DurationMs deadline_ms, bool privileged) override;
  Task<Result<ports::ExecResult>> script(std::string sh, std::vector<std::string> args,
                                         DurationMs deadline_ms, bool privileged) override;
  Task<Result<ports::ExecResult>> run_operation(ports::Operation operation) override;
  Task<Result<ports::ExecResult>> await_operation(std::string id, DurationMs deadline_ms,
                                                  bool privileged) override;
  Task<Result<std::string>> read_file(std::string path, std::int64_t max_bytes) override;
  Task<Status> put_atomic(std::string path, std::string content, std::string mode_if_new,
                          std::string like_if_new) override;
  Task<Result<ports::FileStat>> stat(std::string path) override;
  Task<Result<std::string>> boot_id() override;
  Task<Result<std::int64_t>> connections_on(int port) override;
  Task<Result<std::string>> forward_unix(std::string path) override;
};

// A folder of its own that goes away with the test, also when the test is killed: a small watcher
// sees the end of its pipe, stops every daemon whose pid file lies in the folder and whose command
// line names it, and removes it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path + "/" + name; }
  std::string path;

 private:
  int pipe_ = -1;
  int watcher_ = -1;
};

void write_file(const std::string& path, const std::string& content, int mode = 0644);
[[nodiscard]] std::string read_text(const std::string& path);
[[nodiscard]] bool exists(const std::string& path);

// Runs a task to its end and gives its value.
template <class T>
T wait_for(Task<T> task) {
  std::optional<T> value;
  run_until_done([&]() -> Task<void> { value = co_await std::move(task); });
  return std::move(*value);
}

}  // namespace hitless::service
