#include "witness/counters.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>

#include "base/text.hpp"

namespace hitless::witness {

namespace {

constexpr std::size_t kMaxText = 1u << 20;
constexpr std::size_t kMaxFields = 512;
constexpr std::size_t kMaxEpoch = 64;
constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";
constexpr const char* kNetworkNamespace = "/proc/self/ns/net";

constexpr std::array<std::string_view, 11> kHostCounters = {
    "ListenOverflows", "ListenDrops",      "TCPReqQFullDrop",   "TCPAbortOnData",
    "TCPAbortOnClose", "TCPAbortOnMemory", "TCPAbortOnTimeout", "TCPTimeouts",
    "OutRsts",         "EstabResets",      "AttemptFails"};
constexpr std::array<std::string_view, 6> kHostFailures = {"ListenOverflows", "ListenDrops",
                                                           "TCPReqQFullDrop", "TCPAbortOnData",
                                                           "TCPAbortOnClose", "TCPAbortOnMemory"};
constexpr std::array<std::string_view, 4> kLbFailures = {"responses_5xx", "connect_errors",
                                                         "response_errors", "server_aborts"};

template <class List>
bool has(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> all;
  while (all.size() < kMaxFields) {
    const std::size_t from = line.find_first_not_of(" \t\r");
    if (from == std::string_view::npos) break;
    const std::size_t to = std::min(line.find_first_of(" \t\r", from), line.size());
    all.push_back(line.substr(from, to - from));
    line.remove_prefix(to);
  }
  return all;
}

std::optional<std::int64_t> number(std::string_view text, int base = 10) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "TcpExt: name name …" and then "TcpExt: 1 2 …", as in /proc/net/netstat and snmp.
Status take_pair(std::string_view names, std::string_view numbers, CounterSample* sample) {
  const auto keys = words(names), values = words(numbers);
  if (keys.size() != values.size() || keys.front() != values.front())
    return fail(ErrorCode::invalid, "the kernel's counters: names and numbers do not match");
  for (std::size_t i = 1; i < keys.size(); ++i) {
    if (!has(kHostCounters, keys[i])) continue;
    const auto value = number(values[i]);
    if (!value) return fail(ErrorCode::invalid, "the kernel's counters: not a number");
    sample->values[std::string(keys[i])] = *value;
  }
  return {};
}

// A row of /proc/net/tcp: a listening socket's rx_queue is how many wait to be accepted.
void take_socket(std::string_view line, std::int64_t* longest) {
  const auto fields = words(line);
  if (fields.size() < 5 || fields[3] != "0A") return;
  const std::size_t colon = fields[4].find(':');
  if (colon == std::string_view::npos) return;
  if (const auto waiting = number(fields[4].substr(colon + 1), 16))
    *longest = std::max(*longest, *waiting);
}

// Every other one goes, but not the first, nor the last two.
void thin(std::vector<CounterSample>* samples) {
  std::vector<CounterSample> kept;
  for (std::size_t i = 0; i < samples->size(); ++i)
    if (i % 2 == 0 || i + 2 >= samples->size()) kept.push_back(std::move((*samples)[i]));
  *samples = std::move(kept);
}

// A container has the boot id of its kernel, but counters of its own namespace. Half of it is not
// enough to say that two are the same.
std::string machine_of(std::string_view boot_id, std::string_view network_namespace) {
  if (boot_id.empty() || network_namespace.empty()) return {};
  return escape_for_terminal(boot_id.substr(0, kMaxEpoch)) + " " +
         escape_for_terminal(network_namespace.substr(0, kMaxEpoch));
}

}  // namespace

CounterSense sense_of(SourceKind kind, std::string_view counter) {
  if (kind == SourceKind::host)
    return has(kHostFailures, counter) ? CounterSense::failure : CounterSense::shown;
  if (counter == "requests") return CounterSense::work;
  if (counter == "retries" || counter == "redispatches") return CounterSense::near_miss;
  return has(kLbFailures, counter) ? CounterSense::failure : CounterSense::shown;
}

void add_sample(CounterSeries* series, CounterSample sample) {
  if (!sample.problem.empty() || sample.values.empty()) {
    ++series->unread;
    series->last_problem = sample.problem.empty() ? "nothing could be read" : sample.problem;
    return;
  }
  if (!series->samples.empty()) {
    const CounterSample& before = series->samples.back();
    if (sample.at_ms < before.at_ms) return;  // late: it says nothing new
    bool reset = sample.epoch != before.epoch;
    for (const auto& [name, value] : before.values) {
      const auto now = sample.values.find(name);
      reset = reset || (now != sample.values.end() && now->second < value);
    }
    if (reset && series->reset_at.size() < kMaxResets) series->reset_at.push_back(sample.at_ms);
  }
  if (!sample.machine.empty()) series->machine = sample.machine;
  series->samples.push_back(std::move(sample));
  if (series->samples.size() > kMaxSamples) thin(&series->samples);
}

std::string this_machine() {
  std::string boot_id;
  std::getline(std::ifstream(kBootId), boot_id);
  std::array<char, kMaxEpoch> name{};
  const ssize_t length = ::readlink(kNetworkNamespace, name.data(), name.size());
  if (length <= 0) return {};
  return machine_of(boot_id, {name.data(), static_cast<std::size_t>(length)});
}

const char* const kHostCountersScript =
    "echo boot; cat /proc/sys/kernel/random/boot_id; echo netns; "
    "readlink /proc/self/ns/net 2>/dev/null; echo netstat; cat /proc/net/netstat; "
    "echo snmp; cat /proc/net/snmp; echo tcp; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | "
    "head -c 262144";

Result<CounterSample> parse_host_counters(std::string_view text, TimeMs at_ms) {
  CounterSample sample;
  sample.at_ms = at_ms;
  std::string_view rest = text.substr(0, kMaxText), names, section, boot_id, network_namespace;
  std::int64_t longest = 0;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line == "boot" || line == "netns" || line == "netstat" || line == "snmp" || line == "tcp") {
      section = line;
      names = {};
    } else if (section == "boot" && boot_id.empty()) {
      boot_id = line;
      sample.epoch = escape_for_terminal(line.substr(0, kMaxEpoch));
    } else if (section == "netns" && network_namespace.empty()) {
      network_namespace = line;
    } else if (section == "tcp") {
      take_socket(line, &longest);
    } else if (line.rfind("TcpExt: ", 0) == 0 || line.rfind("Tcp: ", 0) == 0) {
      if (names.empty()) {
        names = line;
        continue;
      }
      if (auto ok = take_pair(names, line, &sample); !ok) return tl::unexpected(ok.error());
      names = {};
    }
  }
  if (section == "tcp") sample.gauges["accept_queue"] = longest;
  sample.machine = machine_of(boot_id, network_namespace);
  if (sample.epoch.empty() || sample.values.empty())
    return fail(ErrorCode::invalid, "no counters of the kernel in the answer");
  return sample;
}

}  // namespace hitless::witness
