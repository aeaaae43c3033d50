#include "cli/sudoers_text.hpp"

#include <pwd.h>
#include <unistd.h>

#include <map>
#include <set>

#include "adapters/coordination/claims.hpp"
#include "adapters/host/host.hpp"
#include "adapters/service/apt.hpp"
#include "adapters/service/whole_host.hpp"
#include "adapters/watchdog/watchdog.hpp"
#include "agent/gather.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "cli/service_configs.hpp"
#include "cli/wiring_pools.hpp"
#include "runtime/process.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kSshDeadlineMs = 10'000;

struct UserNeeds {
  host::SudoersNeeds needs;
  std::set<std::string> hosts;
};

std::string own_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "" : entry->pw_name;
}

Task<void> ask_ssh(std::vector<std::string> argv, std::string* user) {
  const auto ran = co_await run_process(std::move(argv), {}, kSshDeadlineMs);
  if (!ran || ran->exit_code != 0) co_return;
  for (const std::string& line : split(ran->out, '\n')) {
    if (line.starts_with("user ")) *user = line.substr(5);
  }
}

// The one who logs in there, as ssh will find it.
Result<std::string> login_user(const fleet::Fleet& fleet, const fleet::Host& host) {
  if (host.connect == fleet::Connect::local) return own_name();
  if (host.user) return *host.user;
  if (fleet.ssh.user) return *fleet.ssh.user;
  const std::string target = host.ssh_name.empty() ? host.name : host.ssh_name;
  if (const auto fine = check_host_address(target); !fine)
    return tl::unexpected<Error>(fine.error());
  std::vector<std::string> argv{"ssh", "-G"};
  if (fleet.ssh.config) argv.insert(argv.end(), {"-F", *fleet.ssh.config});
  argv.push_back(target);
  std::string user;
  run_until_done([&] { return ask_ssh(argv, &user); });
  if (!user.empty()) return user;
  return fail(ErrorCode::failed, "ssh -G does not tell who logs in", host.name,
              "set `user:` for this host");
}

template <class T>
void append(std::vector<T>& to, std::vector<T> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

// What is looked at when an instance failed. Where the service logs may be found out on its host.
agent::GatherTarget gather_target(const fleet::Service& service, const fleet::Instance& instance) {
  agent::GatherTarget target;
  target.unit = service.unit;
  target.port = instance.port.value_or(0);
  target.files = installed_files(service, instance);
  return target;
}

class Collector {
 public:
  explicit Collector(const fleet::Fleet& fleet) : fleet_(fleet) {}

  Status add(const fleet::Service& service) {
    for (const fleet::Instance& instance : service.instances) {
      auto user = on(instance.host);
      if (!user) return tl::unexpected<Error>(user.error());
      if (*user == nullptr) continue;
      host::SudoersNeeds& needs = (*user)->needs;
      ports::PrivilegedCommands commands = privileged_commands(service, instance);
      append(needs.commands.commands, std::move(commands.commands));
      append(needs.commands.operations, std::move(commands.operations));
      append(needs.commands.readable, std::move(commands.readable));
      append(needs.commands.commands,
             agent::privileged_commands(gather_target(service, instance)).commands);
      append(needs.config_files, installed_files(service, instance));
      ports::PrivilegedCommands whole = service::privileged_commands_of_host();
      append(needs.commands.operations, std::move(whole.operations));
      whole = service::privileged_commands_of_apt();
      append(needs.commands.commands, std::move(whole.commands));
      append(needs.commands.operations, std::move(whole.operations));
      append(needs.commands.commands, coordination::privileged_commands().commands);
      append(needs.commands.commands, watchdog::privileged_commands().commands);
      for (const fleet::Target& target : instance.targets)
        append(needs.commands.commands, privileged_commands(fleet_, target).commands);
    }
    return {};
  }

  // `doctor` asks for sudo there too.
  Status add_load_balancers() {
    for (const auto& [name, lb] : fleet_.load_balancers) {
      for (const fleet::LbNode& node : lb.nodes) {
        if (!node.host) continue;
        auto user = on(*node.host);
        if (!user) return tl::unexpected<Error>(user.error());
        if (*user == nullptr) continue;
        append((*user)->needs.commands.commands, watchdog::privileged_commands().commands);
        ports::PrivilegedCommands commands = privileged_commands(lb);
        append((*user)->needs.commands.commands, std::move(commands.commands));
        append((*user)->needs.commands.readable, std::move(commands.readable));
      }
    }
    return {};
  }

  Result<std::string> text() const {
    std::string all;
    for (const auto& [name, user] : users_) {
      auto lines = host::sudoers_lines(user.needs);
      if (!lines) return tl::unexpected<Error>(lines.error());
      if (!all.empty()) all += "\n";
      all += "# For user " + name + " on " + join({user.hosts.begin(), user.hosts.end()}, ", ") +
             ".\n";
      all += join(*lines, "\n") + "\n";
    }
    return all;
  }

 private:
  // Null: no sudo on this host.
  Result<UserNeeds*> on(const std::string& host_name) {
    const fleet::Host* host = fleet_.host(host_name);
    if (host == nullptr || !host->sudo) return nullptr;
    auto known = logins_.find(host_name);
    if (known == logins_.end()) {
      auto user = login_user(fleet_, *host);
      if (!user) return tl::unexpected<Error>(user.error());
      known = logins_.emplace(host_name, *user).first;
    }
    UserNeeds& user = users_[known->second];
    user.needs.user = known->second;
    user.hosts.insert(host_name);
    return &user;
  }

  const fleet::Fleet& fleet_;
  std::map<std::string, std::string> logins_;
  std::map<std::string, UserNeeds> users_;
};

}  // namespace

Result<std::string> sudoers_text(const fleet::Fleet& fleet, const std::string& only_service) {
  Collector collector(fleet);
  if (!only_service.empty() && fleet.service(only_service) == nullptr) {
    return fail(ErrorCode::not_found, "no service `" + only_service + "` in the fleet file",
                fleet.file);
  }
  for (const auto& [name, service] : fleet.services) {
    if (!only_service.empty() && name != only_service) continue;
    if (Status ok = collector.add(service); !ok) return tl::unexpected<Error>(ok.error());
  }
  if (Status ok = collector.add_load_balancers(); !ok) return tl::unexpected<Error>(ok.error());
  return collector.text();
}

}  // namespace hitless::cli
