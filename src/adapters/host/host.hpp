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
};

// address: where its services are reached, such as 127.0.0.1.
std::unique_ptr<ports::Host> make_local_host(std::string name, std::string address,
                                             bool sudo = false);
// Fails with invalid when a name could be taken for an option or is not a name. Connects at first
// use.
[[nodiscard]] Result<std::unique_ptr<ports::Host>> make_ssh_host(SshConfig config);

// What hitless runs with `sudo -n` on one host.
struct SudoersNeeds {
  std::string user;                             // who logs in
  std::vector<std::string> units;               // operations {"systemctl", "restart" or such, unit}
  std::vector<std::string> config_dirs;         // where put_atomic writes
  std::vector<std::vector<std::string>> argvs;  // further exact commands: {"/usr/sbin/nginx", "-t"}
  // Further run_operation argvs, as given to it; a word that is any_word stands for an id, number
  // or name.
  std::vector<std::vector<std::string>> operations;
  static constexpr const char* any_word = "%any-word%";
};

// The text for /etc/sudoers.d/hitless, line by line. Commands are matched by regular expressions,
// which need sudo 1.9.10 on the host. Fails with invalid when a unit, folder or user is not a
// proper name.
[[nodiscard]] Result<std::vector<std::string>> sudoers_lines(const SudoersNeeds& needs);

}  // namespace hitless::host
