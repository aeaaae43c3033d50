#include "adapters/host/ssh_command.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless::host {
namespace {

constexpr std::size_t max_message_bytes = 600;
constexpr std::size_t kRulesDigits = 8;

void add_option(std::vector<std::string>& argv, std::string option) {
  argv.emplace_back("-o");
  argv.push_back(std::move(option));
}

void add_common(std::vector<std::string>& argv, const SshConfig& config) {
  add_option(argv, "BatchMode=yes");
  add_option(argv, fmt::format("ConnectTimeout={}", config.connect_timeout_s));
  add_option(argv, "ServerAliveInterval=5");
  add_option(argv, "ServerAliveCountMax=3");
  add_option(argv, "StrictHostKeyChecking=yes");
  if (!config.config_file.empty()) argv.insert(argv.end(), {"-F", config.config_file});
  if (!config.user.empty()) argv.insert(argv.end(), {"-l", config.user});
  if (config.port != 0) argv.insert(argv.end(), {"-p", std::to_string(config.port)});
  if (!config.identity_file.empty()) argv.insert(argv.end(), {"-i", config.identity_file});
  if (!config.known_hosts_file.empty()) {
    // ssh splits the value at spaces unless it is quoted.
    add_option(argv, "UserKnownHostsFile=\"" + config.known_hosts_file + "\"");
  }
}

// A connection of our own, whatever the user's configuration shares.
std::vector<std::string> own_argv(const SshConfig& config) {
  std::vector<std::string> argv = {"ssh", "-T"};
  add_option(argv, "ControlMaster=no");
  add_option(argv, "ControlPath=none");
  add_common(argv, config);
  return argv;
}

const std::string& target_of(const SshConfig& config) {
  return config.ssh_name.empty() ? config.name : config.ssh_name;
}

void add_shell(std::vector<std::string>& argv, const SshConfig& config, bool root) {
  // For login shells of any kind. Root's shell for the whole session where sudo gives one without a
  // question; where it only knows the commands of `doctor --sudoers`, each of these asks it.
  constexpr const char* as_root =
      "exec /bin/sh -c 'sudo -n -l -- /bin/sh >/dev/null 2>&1 && exec sudo -n -- /bin/sh; "
      "exec /bin/sh'";
  argv.insert(argv.end(), {"--", target_of(config), root ? as_root : "exec /bin/sh"});
}

struct Meaning {
  std::string_view words;
  ErrorCode code;
  std::string_view what;
  std::string_view help;
};

// First match counts: a swapped key also says "Host key verification failed".
constexpr Meaning meanings[] = {
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", ErrorCode::refused, "its host key has changed",
     "somebody may be in between, or the host was installed anew: compare the key over another "
     "way, "
     "then ssh-keygen -R and add the new one"},
    {"Host key verification failed", ErrorCode::refused, "its host key is not known here",
     "log in once by hand, compare the fingerprint and accept it; hitless never accepts a new key"},
    {"Permission denied", ErrorCode::refused, "the login was denied",
     "check user and key: ssh -o BatchMode=yes must work without a question"},
    {"Too many authentication failures", ErrorCode::refused, "the login was denied",
     "name the key (identity_file, or IdentitiesOnly yes in ssh_config)"},
    {"Could not resolve hostname", ErrorCode::unavailable, "its name cannot be resolved",
     "check the name, DNS and ssh_config"},
    {"Connection refused", ErrorCode::unavailable, "the connection was refused",
     "check that sshd runs there, and its port"},
    {"Operation timed out", ErrorCode::unavailable, "the connection timed out",
     "check that the host is up and that no firewall drops port 22"},
    {"Connection timed out", ErrorCode::unavailable, "the connection timed out",
     "check that the host is up and that no firewall drops port 22"},
    {"No route to host", ErrorCode::unavailable, "there is no route to it", "check the network"},
    {"Network is unreachable", ErrorCode::unavailable, "there is no route to it",
     "check the network"},
    {"Bad configuration option", ErrorCode::invalid, "ssh does not understand its configuration",
     "correct ssh_config"},
};

// On one line, without the frame of @ that ssh draws around its warnings.
std::string one_line(std::string_view message) {
  std::string line;
  while (!message.empty()) {
    const auto end = std::min(message.find('\n'), message.size());
    const auto part = trim(message.substr(0, end));
    message.remove_prefix(std::min(end + 1, message.size()));
    if (part.empty() || part.starts_with('@')) continue;
    if (!line.empty()) line += ' ';
    line += part;
  }
  return line;
}

}  // namespace

Status check_ssh_config(const SshConfig& config) {
  auto checked = check_host_address(target_of(config));
  if (checked && !config.user.empty()) checked = check_user_name(config.user);
  for (const auto* path : {&config.identity_file, &config.known_hosts_file, &config.config_file}) {
    if (!checked || path->empty()) continue;
    checked = check_absolute_path(*path);
    if (checked && path->find_first_of("\"\n\r%") != std::string::npos) {
      checked = fail(ErrorCode::invalid,
                     "a path for ssh contains a quote, a percent sign or a line break");
    }
  }
  if (checked && (config.port < 0 || config.port > 65535)) {
    checked = fail(ErrorCode::invalid, fmt::format("{} is not a port", config.port));
  }
  if (checked && (config.connect_timeout_s < 1 || config.connect_timeout_s > 300)) {
    checked = fail(ErrorCode::invalid, "the connect timeout must be 1 to 300 seconds");
  }
  if (!checked && checked.error().where.empty()) {
    checked.error().where = "host " + escape_for_terminal(truncate_utf8(config.name, 80));
  }
  return checked;
}

std::vector<std::string> ssh_shell_argv(const SshConfig& config, bool root) {
  auto argv = own_argv(config);
  add_shell(argv, config, root);
  return argv;
}

std::vector<std::string> ssh_kept_shell_argv(const SshConfig& config, bool root,
                                             const std::string& folder) {
  std::vector<std::string> common;
  add_common(common, config);
  // %C: where it goes. The rest: who logs in by which key and configuration, so that nobody joins a
  // connection that was made by other rules.
  const std::string rules = sha256_hex(join(common, "\n")).substr(0, kRulesDigits);
  std::vector<std::string> argv = {"ssh", "-T"};
  add_option(argv, "ControlMaster=auto");
  add_option(argv, fmt::format("ControlPersist={}", config.keep_s));
  add_option(argv, "ControlPath=" + folder + "/%C" + rules);
  argv.insert(argv.end(), common.begin(), common.end());
  add_shell(argv, config, root);
  return argv;
}

std::optional<std::string> kept_connections_folder(const SshConfig& config) {
  const uid_t user = ::geteuid();
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string folder = fmt::format("/tmp/hitless-ssh-{}", user);
  if (runtime != nullptr && *runtime == '/') folder = std::string(runtime) + "/hitless-ssh";
  if (user == 0) folder = "/run/hitless-ssh";
  if (!config.keep_folder.empty()) folder = config.keep_folder;
  // ssh expands what begins with %, and a socket's path is short: its own part takes 65 bytes.
  if (folder.size() > 40 || folder.find_first_of("%\"' \t\n") != std::string::npos)
    return std::nullopt;
  ::mkdir(folder.c_str(), 0700);
  // Whoever else could put a socket there would be taken for the host.
  struct stat info{};
  const bool is_ours = ::lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
                       info.st_uid == user && (info.st_mode & 0077) == 0;
  return is_ours ? std::optional(folder) : std::nullopt;
}

std::vector<std::string> ssh_forward_argv(const SshConfig& config, const std::string& local,
                                          const std::string& remote) {
  auto argv = own_argv(config);
  add_option(argv, "ExitOnForwardFailure=yes");
  argv.insert(argv.end(), {"-N", "-L", local + ":" + remote, "--", target_of(config)});
  return argv;
}

Error explain_ssh_failure(const std::string& name, std::string_view message) {
  constexpr std::string_view own_name = "ssh: ";  // said once is enough
  std::string shown =
      redact(escape_for_terminal(truncate_utf8(one_line(message), max_message_bytes)));
  if (shown.rfind(own_name, 0) == 0) shown.erase(0, own_name.size());
  for (const auto& meaning : meanings) {
    if (message.find(meaning.words) == std::string_view::npos) continue;
    return {meaning.code, fmt::format("cannot log in: {} (ssh: {})", meaning.what, shown), name,
            std::string(meaning.help)};
  }
  return {ErrorCode::unavailable,
          shown.empty() ? "ssh ended before there was a shell"
                        : fmt::format("cannot log in (ssh: {})", shown),
          name, "try it by hand: ssh -o BatchMode=yes " + name + " true"};
}

}  // namespace hitless::host
