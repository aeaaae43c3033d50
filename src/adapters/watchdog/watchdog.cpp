#include "adapters/watchdog/watchdog.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include "adapters/watchdog/watchdog_script.hpp"
#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless::watchdog {
namespace {

using core::InstanceId;

constexpr DurationMs kArmDeadlineMs = 10'000;
constexpr DurationMs kProbeDeadlineMs = 30'000;  // every tool may be slow at every target
constexpr int kTries = 2;                        // of a step whose answer was lost
constexpr DurationMs kMinAfterMs = 1000, kMaxAfterMs = 24LL * 3600 * 1000;
constexpr std::size_t kAlarmLines = 5;
constexpr std::size_t kMaxSocketBytes = 107;
constexpr const char* kUnixPrefix = "unix:";

std::string shown(std::string_view text) {
  return redact(escape_for_terminal(truncate_utf8(trim(text), 200)));
}

// One host's part in watching one instance.
struct Station {
  ports::Host* host = nullptr;
  std::string name;
  std::vector<WatchedTarget> targets;
  bool own = false;  // the instance's own host: it raises an alarm in any case
};

struct Watched {
  WatchedInstance about;
  std::vector<Station> stations;
  std::vector<std::string> out_of_reach;  // nodes that no host of ours can reach
};

// It becomes a word of a fixed script, a part of a line and an address of socat.
Status check_socket(const std::string& socket) {
  const bool plain = std::ranges::all_of(socket, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("/._@+-:[]").find(c) != std::string_view::npos;
  });
  const bool known = socket.starts_with("unix:/") || socket.starts_with("tcp:");
  if (plain && known && socket.size() <= kMaxSocketBytes) return {};
  return fail(ErrorCode::invalid, "the watchdog cannot use the socket `" + shown(socket) + "`", {},
              "write unix:/PATH or tcp:HOST:PORT, of letters, digits and /._@+-");
}

Status check_instance(const WatchedInstance& instance) {
  if (instance.host == nullptr || instance.port < 0 || instance.port > 65535) {
    return fail(ErrorCode::invalid, "an instance to watch has no host or no proper port");
  }
  Status ok = check_identifier(instance.service);
  const std::size_t at = instance.instance.value.find('@');
  if (at == std::string::npos) return fail(ErrorCode::invalid, "not an instance's name");
  if (ok) ok = check_identifier(instance.instance.value.substr(0, at));
  if (ok) ok = check_host_name(instance.instance.value.substr(at + 1));
  for (const WatchedTarget& target : instance.targets) {
    if (ok) ok = check_host_name(target.node);
    if (ok) ok = check_identifier(target.backend);
    if (ok) ok = check_identifier(target.server);
    if (ok) ok = check_socket(target.socket);
  }
  return ok;
}

Watched place(WatchedInstance about) {
  Watched watched;
  watched.stations.push_back({about.host, about.host->name(), {}, true});
  for (const WatchedTarget& target : about.targets) {
    if (target.host == nullptr && target.socket.starts_with(kUnixPrefix)) {
      watched.out_of_reach.push_back(target.node);
      continue;
    }
    ports::Host* host = target.host != nullptr ? target.host : about.host;
    const auto same = std::ranges::find(watched.stations, host->name(), &Station::name);
    if (same != watched.stations.end()) {
      same->targets.push_back(target);
    } else {
      watched.stations.push_back({host, host->name(), {target}, false});
    }
  }
  watched.about = std::move(about);
  return watched;
}

void add_targets(std::vector<std::string>& args, const Station& station) {
  for (const WatchedTarget& target : station.targets) {
    args.insert(args.end(), {target.node, target.socket, target.backend, target.server});
  }
}

std::string why_not(const std::string& answer) {
  if (answer == "no check") return "no health check guards it";
  if (answer == "no tool") return "nothing there can talk to its socket";
  if (answer == "no server") return "it does not know the server";
  return "it does not answer";
}

// Nodes by what a timer does there, for one line.
class Description {
 public:
  void add(const std::string& kind, const std::string& node, const std::string& does) {
    auto& groups = kinds_[kind];
    const auto same = std::ranges::find(groups, does, &Group::first);
    if (same != groups.end()) {
      if (std::ranges::find(same->second, node) == same->second.end()) same->second.push_back(node);
    } else {
      groups.push_back({does, {node}});
    }
  }
  [[nodiscard]] std::string text() const {
    std::vector<std::string> kinds;
    for (const auto& [kind, groups] : kinds_) {
      std::vector<std::string> parts;
      for (const auto& [does, nodes] : groups) {
        parts.push_back(join(nodes, ", ") + " (" + does + ")");
      }
      kinds.push_back(kind + join(parts, ", "));
    }
    return join(kinds, "; ");
  }

 private:
  using Group = std::pair<std::string, std::vector<std::string>>;
  std::map<std::string, std::vector<Group>> kinds_;
};

class HostWatchdog final : public ports::Watchdog {
 public:
  explicit HostWatchdog(WatchdogConfig config) {
    for (WatchedInstance& each : config.instances) {
      if (valid_) valid_ = check_instance(each);
      if (valid_) watched_.push_back(place(std::move(each)));
    }
  }

  Task<std::string> describe(InstanceId instance) override {
    const Watched* watched = find(instance);
    if (watched == nullptr) co_return "none";
    std::vector<Result<std::string>> answers(watched->stations.size());
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      std::vector<std::string> args = {"probe"};
      add_targets(args, watched->stations[i]);
      tasks.push_back(keep(watched->stations[i].host, std::move(args), &answers[i]));
    }
    co_await join_all(std::move(tasks));
    Description all;
    for (std::size_t i = answers.size(); i-- > 0;) {  // the instance's own host comes last
      describe_station(watched->stations[i], answers[i], all);
    }
    for (const std::string& node : watched->out_of_reach) {
      all.add("no timer on ", node, "its socket is out of reach");
    }
    for (const std::string& lb : watched->about.not_covered) {
      all.add("not put back in ", shown(lb), "no timer speaks to that kind");
    }
    co_return all.text();
  }

  Task<Status> arm(ports::WatchdogOrder order) override {
    if (!valid_) co_return tl::unexpected(valid_.error());
    const Watched* watched = find(order.instance);
    if (watched == nullptr) co_return not_watched(order.instance);
    if (auto ok = check_identifier(order.rollout); !ok) co_return ok;
    if (order.epoch < 0 || order.after_ms < kMinAfterMs || order.after_ms > kMaxAfterMs) {
      co_return fail(ErrorCode::invalid, "a watchdog is set for a second to a day");
    }
    co_return co_await on_stations(*watched, [&](const Station& station) {
      // A generation that was never seen before: a timer left over from a broken try finds no
      // order.
      std::vector<std::string> args = {"arm",
                                       key_of(*watched, station),
                                       random_hex(6),
                                       std::to_string((order.after_ms + 999) / 1000),
                                       std::to_string(order.epoch),
                                       watched->about.instance.value,
                                       order.rollout,
                                       watched->about.service,
                                       std::to_string(watched->about.port),
                                       station.own ? station.name : "-"};
      add_targets(args, station);
      return args;
    });
  }

  Task<Status> disarm(InstanceId instance, std::int64_t epoch) override {
    const Watched* watched = find(instance);
    if (watched == nullptr) co_return not_watched(instance);
    co_return co_await on_stations(*watched, [&](const Station& station) {
      return std::vector<std::string>{"disarm", key_of(*watched, station), std::to_string(epoch)};
    });
  }

  Task<Result<std::vector<ports::WatchdogAlarm>>> alarms() override {
    if (!valid_) co_return tl::unexpected(valid_.error());
    std::map<std::string, std::pair<ports::Host*, std::vector<std::string>>> hosts;
    for (const Watched& watched : watched_) {
      for (const Station& station : watched.stations) {
        auto& [host, args] = hosts[station.name];
        if (host == nullptr) args = {"alarms"};
        host = station.host;
        args.push_back(key_of(watched, station));
      }
    }
    std::vector<Result<std::string>> answers(hosts.size());
    std::vector<Task<void>> tasks;
    for (auto& [name, host] : hosts) {
      tasks.push_back(keep(host.first, std::move(host.second), &answers[tasks.size()]));
    }
    co_await join_all(std::move(tasks));
    std::vector<ports::WatchdogAlarm> all;
    for (const auto& answer : answers) {
      if (!answer) co_return tl::unexpected(answer.error());
      read_alarms(*answer, all);
    }
    co_return all;
  }

  Task<Status> clear_alarms(InstanceId instance) override {
    const Watched* watched = find(instance);
    if (watched == nullptr) co_return not_watched(instance);
    co_return co_await on_stations(*watched, [&](const Station& station) {
      return std::vector<std::string>{"clear", key_of(*watched, station)};
    });
  }

 private:
  static tl::unexpected<Error> not_watched(const InstanceId& instance) {
    return fail(ErrorCode::not_found, "no watchdog for " + shown(instance.value));
  }

  [[nodiscard]] const Watched* find(const InstanceId& instance) const {
    for (const Watched& watched : watched_) {
      if (watched.about.instance == instance) return &watched;
    }
    return nullptr;
  }

  // One timer for each instance and host. The host's name is in it because several hosts of a
  // fleet may be one machine; address and targets, because two fleets may use the same names.
  static std::string key_of(const Watched& watched, const Station& station) {
    std::string of = fmt::format(
        "{}|{}|{}|{}|{}", watched.about.instance.value, watched.about.service, watched.about.port,
        station.name, watched.about.host == nullptr ? "" : watched.about.host->address());
    for (const WatchedTarget& target : station.targets)
      of += fmt::format("|{}|{}|{}", target.socket, target.backend, target.server);
    return sha256_hex(of).substr(0, 20);
  }

  // All stations at once, and all to the end. A refusal is the error that counts.
  Task<Status> on_stations(const Watched& watched,
                           std::function<std::vector<std::string>(const Station&)> args_for) {
    std::vector<Result<std::string>> answers(watched.stations.size());
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const Station& station = watched.stations[i];
      tasks.push_back(keep(station.host, args_for(station), &answers[i]));
    }
    co_await join_all(std::move(tasks));
    Status status;
    for (const auto& answer : answers) {
      if (answer) continue;
      if (status || answer.error().code == ErrorCode::refused) {
        status = tl::unexpected(answer.error());
      }
    }
    co_return status;
  }

  static Task<void> keep(ports::Host* host, std::vector<std::string> args,
                         Result<std::string>* answer) {
    *answer = co_await ask(host, std::move(args));
  }

  static Task<Result<std::string>> ask(ports::Host* host, std::vector<std::string> args) {
    const DurationMs deadline_ms = args[0] == "probe" ? kProbeDeadlineMs : kArmDeadlineMs;
    for (int left = kTries;; --left) {
      auto ran = co_await host->script(watchdog_script(), args, deadline_ms, true);
      if (ran && ran->exit_code == 0) co_return std::move(ran->out);
      if (ran) {
        const bool newer = ran->exit_code == watchdog_newer;
        co_return fail(newer ? ErrorCode::refused : ErrorCode::failed,
                       "the watchdog there: " + shown(ran->err), host->name());
      }
      const ErrorCode code = ran.error().code;
      const bool lost = code == ErrorCode::transport_lost || code == ErrorCode::timed_out;
      if (!lost || left <= 1) {
        Error error = ran.error();
        // sudo or ssh said no; that is not a timer of somebody else.
        if (code == ErrorCode::refused) error.code = ErrorCode::unavailable;
        error.what = "the watchdog cannot be reached: " + error.what;
        if (error.where.empty()) error.where = host->name();
        co_return tl::unexpected(std::move(error));
      }
      if (args[0] == "arm") args[2] = random_hex(6);
    }
  }

  static void describe_station(const Station& station, const Result<std::string>& answer,
                               Description& all) {
    if (!answer) {
      all.add("no timer on ", station.name, "cannot be asked: " + shown(answer.error().what));
      return;
    }
    const auto lines = split(*answer, '\n');
    const std::string kind = lines[0] == "systemd" ? "systemd timer on " : "background process on ";
    for (std::size_t i = 0; i < station.targets.size(); ++i) {
      const std::string does = i + 1 < lines.size() ? lines[i + 1] : "";
      all.add(kind, station.targets[i].node,
              does == "acts" ? "puts it back" : "alarm only: " + why_not(does));
    }
    if (station.own) all.add(kind, station.name, "alarm");
  }

  void read_alarms(const std::string& text, std::vector<ports::WatchdogAlarm>& all) const {
    const auto lines = split(text, '\n');
    for (std::size_t i = 0; i + kAlarmLines <= lines.size(); i += kAlarmLines) {
      ports::WatchdogAlarm alarm{
          {lines[i]}, shown(lines[i + 1]), shown(lines[i + 2]), shown(lines[i + 3]), 0};
      const std::string& at = lines[i + 4];
      std::from_chars(at.data(), at.data() + at.size(), alarm.fired_at);
      if (find(alarm.instance) != nullptr) all.push_back(std::move(alarm));
    }
  }

  Status valid_;
  std::vector<Watched> watched_;
};

}  // namespace

std::unique_ptr<ports::Watchdog> make_watchdog(WatchdogConfig config) {
  return std::make_unique<HostWatchdog>(std::move(config));
}

ports::PrivilegedCommands privileged_commands() {
  using ports::CommandWord;
  ports::PrivilegedCommands all;
  all.commands.push_back({{"sh"},
                          {"-c"},
                          {watchdog_script()},
                          {"sh"},
                          CommandWord::pattern("(probe|arm|disarm|alarms|clear)"),
                          CommandWord::patterns("[]A-Za-z0-9/._@+:[-]+")});
  return all;
}

}  // namespace hitless::watchdog
