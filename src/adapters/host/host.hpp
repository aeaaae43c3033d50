// Hosts: this machine, or one that the user's OpenSSH client reaches. Both speak to one persistent
// `sh` (see shell_session.hpp); nothing is installed on a host and no login is made per command.
//
// After a crash of ours nothing is left on a host but operations under way (see Host::run_operation
// in ports/host.hpp); whoever asks for the same id again gets their outcome.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"

namespace hitless::host {

struct SshConfig {
  std::string name;     // as in the fleet file; for messages
  std::string address;  // where its services are reached; empty: as ssh_name
  std::string
      ssh_name;  // what ssh is told: an ssh_config alias, host name or address; empty: as name
  // Only what is set is passed to ssh, so that the user's ssh_config decides all else. Host keys
  // are always checked strictly and nothing is ever asked for.
  std::string user, identity_file, known_hosts_file, config_file;
  int port = 0;
  bool sudo = false;
  int connect_timeout_s = 5;
  // The connection stays for so long after us, and the next run begins on it instead of with a
  // login; 0: it ends with us. Its socket is in keep_folder; empty: one of this user's for all
  // runs.
  int keep_s = 0;
  std::string keep_folder;
};

// address: where its services are reached, such as 127.0.0.1.
std::unique_ptr<ports::Host> make_local_host(std::string name, std::string address,
                                             bool sudo = false);
// Fails with invalid when a name could be taken for an option or is not a name. Connects at first
// use.
[[nodiscard]] Result<std::unique_ptr<ports::Host>> make_ssh_host(SshConfig config);

// What hitless runs with `sudo -n` for one user.
struct SudoersNeeds {
  std::string user;                       // who logs in
  ports::PrivilegedCommands commands;     // of all drivers
  std::vector<std::string> config_files;  // what put_atomic writes, absolute paths
};

// The text for /etc/sudoers.d/hitless, line by line. Commands are matched by regular expressions,
// which need sudo 1.9.10 on the host. Fails with invalid when a program, path or user is not a
// proper name, or when a line would be too long for sudo.
[[nodiscard]] Result<std::vector<std::string>> sudoers_lines(const SudoersNeeds& needs);

}  // namespace hitless::host
