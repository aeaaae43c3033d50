// The part of a host that is the same here and over ssh: everything is a command in one shell
// session. Scripts assume a POSIX sh, coreutils, base64 and sha256sum, and nothing else.
#pragma once
#include <string>
#include <vector>

#include "adapters/host/shell_session.hpp"
#include "ports/host.hpp"

namespace hitless::host {

class ShellHost : public ports::Host {
 public:
  ShellHost(SessionSettings settings, std::string address, bool sudo);

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::string address() const override { return address_; }
  [[nodiscard]] bool sudo() const override { return sudo_; }

  Task<Result<ports::ExecResult>> exec(std::vector<std::string> argv, std::string input,
                                       DurationMs deadline_ms, bool privileged) override;
  Task<Result<ports::ExecResult>> script(std::string sh, std::vector<std::string> args,
                                         DurationMs deadline_ms, bool privileged) override;
  Task<Result<ports::ExecResult>> run_operation(ports::Operation operation) override;
  Task<Result<ports::ExecResult>> await_operation(std::string id, DurationMs deadline_ms,
                                                  bool privileged) override;
  Task<Result<std::string>> read_file(std::string path, std::int64_t max_bytes) override;
  Task<Status> put_atomic(std::string path, std::string content, std::string mode_if_new) override;
  Task<Result<ports::FileStat>> stat(std::string path) override;
  Task<Result<std::string>> boot_id() override;
  Task<Result<std::int64_t>> connections_on(int port) override;

  [[nodiscard]] ShellSession& session() { return session_; }

 protected:
  [[nodiscard]] tl::unexpected<Error> refuse(std::string what, std::string help = {}) const;

 private:
  struct Tracked;  // an operation under way, see operation.cpp
  // "sudo -n --" or nothing: scripts put it before what needs it.
  [[nodiscard]] std::string sudo_words(bool privileged) const;
  Task<Result<ports::ExecResult>> run_script(std::string sh, std::vector<std::string> args,
                                             std::string input, DurationMs deadline_ms,
                                             std::size_t max_output_bytes);
  Task<Result<bool>> uses_units(bool privileged);
  // As root where the operation runs as root.
  Task<Result<ports::ExecResult>> run_for(const Tracked* tracked, std::string sh,
                                          std::vector<std::string> args);
  Task<Result<ports::ExecResult>> start(Tracked* tracked);
  Task<Result<ports::ExecResult>> start_or_ask(Tracked* tracked);
  Task<Result<ports::ExecResult>> follow(Tracked tracked, DurationMs limit_ms);
  [[nodiscard]] Status check_operation(const ports::Operation& operation) const;
  [[nodiscard]] tl::unexpected<Error> no_outcome(const Tracked& tracked,
                                                 const ports::ExecResult& raw) const;
  Task<void> collect(Tracked* tracked);

  std::string name_, address_;
  bool sudo_;
  ShellSession session_;
  std::string facts_;  // "uid systemd", asked once
};

}  // namespace hitless::host
