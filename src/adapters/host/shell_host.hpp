// The part of a host that is the same here and over ssh: everything is a command in one shell
// session, which may be root's; what must run as the user who logs in has another one then. Scripts
// assume a POSIX sh, coreutils, base64 and sha256sum, and nothing else.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/host/shell_session.hpp"
#include "ports/host.hpp"

namespace hitless::host {

class ShellHost : public ports::Host {
 public:
  // `plain_argv` starts a shell of the user who logs in, for when `settings.argv` gave root's.
  ShellHost(SessionSettings settings, std::vector<std::string> plain_argv, std::string address,
            bool sudo);

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
  Task<Status> put_atomic(std::string path, std::string content, std::string mode_if_new,
                          std::string like_if_new) override;
  Task<Result<ports::FileStat>> stat(std::string path) override;
  Task<Result<std::string>> boot_id() override;
  Task<Result<std::int64_t>> connections_on(int port) override;
  Task<Result<std::vector<std::string>>> peers_on(int port) override;

  [[nodiscard]] ShellSession& session() { return session_; }

 protected:
  [[nodiscard]] tl::unexpected<Error> refuse(std::string what, std::string help = {}) const;

 private:
  struct Tracked;  // an operation under way, see operation.cpp
  // Does a privileged command need sudo before it? Not in a shell of root's.
  Task<Result<bool>> needs_sudo(bool privileged);
  // "sudo -n --" or nothing: scripts put it before what needs it.
  Task<Result<std::string>> sudo_words();
  // Where a command that we are given runs: an unprivileged one never in a shell of root's.
  Task<Result<ShellSession*>> session_for(bool privileged);
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
  bool may_be_root_;  // the session's shell, when sudo gives one
  SessionSettings plain_settings_;
  ShellSession session_;
  std::unique_ptr<ShellSession> plain_;  // made at the first need
  std::string facts_;                    // "uid systemd", asked once
};

}  // namespace hitless::host
