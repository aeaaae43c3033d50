// How we call the user's OpenSSH client, and what its messages mean.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/host/host.hpp"

namespace hitless::host {

[[nodiscard]] Status check_ssh_config(const SshConfig& config);
// ssh running `exec /bin/sh` there.
[[nodiscard]] std::vector<std::string> ssh_shell_argv(const SshConfig& config, bool root);
// The same by way of a connection that outlives us by config.keep_s (ControlPersist), whose control
// socket is in `folder`: made when there is none, joined when there is.
[[nodiscard]] std::vector<std::string> ssh_kept_shell_argv(const SshConfig& config, bool root,
                                                           const std::string& folder);
// The folder for such sockets, made when it is missing. nullopt: it is not this user's alone or its
// name is too long, so nothing is kept.
[[nodiscard]] std::optional<std::string> kept_connections_folder(const SshConfig& config);
// ssh that does nothing but forward the UNIX socket `local` here to `remote` there.
[[nodiscard]] std::vector<std::string> ssh_forward_argv(const SshConfig& config,
                                                        const std::string& local,
                                                        const std::string& remote);
// Error for an ssh that ended before we had a shell; `message` is what it wrote to stderr.
[[nodiscard]] Error explain_ssh_failure(const std::string& name, std::string_view message);

}  // namespace hitless::host
