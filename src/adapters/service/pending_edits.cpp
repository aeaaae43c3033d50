#include "adapters/service/pending_edits.hpp"

#include <algorithm>
#include <cstdlib>

#include "adapters/service/evidence.hpp"
#include "adapters/service/generations.hpp"
#include "adapters/service/scripts.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;

constexpr DurationMs kTimesDeadlineMs = 10'000;
constexpr std::size_t kMaxNamed = 5;     // files named in the line
constexpr double kTicksPerSecond = 100;  // USER_HZ, on every Linux that we know
constexpr double kTolerance = 0.1;       // seconds; start times come in ticks of 10 ms

// "n <wall clock> <start of a process that starts now>", which ties both clocks together also where
// /proc/uptime is another one's (lxcfs); then "c <ctime> <path>" of each file.
constexpr const char* kTimesScript = R"sh(
LC_ALL=C; export LC_ALL
stat=$(IFS= read -r own </proc/self/stat; echo "$own")
set -f; fields=${stat##*) }
ticks=$(set -- $fields; shift 19; echo "$1"); set +f
echo "n $(date +%s.%N) $ticks"
count=$#
IFS=
for pattern in "$@"; do
  for file in $pattern; do [ -f "$file" ] && set -- "$@" "$file"; done
done
shift "$count"
[ $# -eq 0 ] || stat -L -c 'c %.Z %n' -- "$@" || exit 1
echo z
)sh";

struct File {
  double changed = 0;  // seconds since the epoch
  std::string path;
};

std::string moment(double seconds) {
  constexpr double kLatest = 1e11;  // the year 5138: whatever a host says, it stays a number
  const bool sane = seconds >= 0 && seconds < kLatest;
  return sane ? format_timestamp(static_cast<TimeMs>(seconds * 1000)) : "at an unknown time";
}

std::string list(const std::vector<File>& files) {
  std::string text;
  for (std::size_t i = 0; i < std::min(files.size(), kMaxNamed); ++i)
    text += (i == 0 ? "" : ", ") + files[i].path + " (" + moment(files[i].changed) + ")";
  if (files.size() > kMaxNamed)
    text += " and " + std::to_string(files.size() - kMaxNamed) + " more";
  return text;
}

Check not_known(const std::string& why) {
  return check(kPendingEdits, CheckStatus::warn,
               "not known whether the program runs what is on disk: " + why,
               "a reload or restart activates every edit that was made meanwhile");
}

}  // namespace

const char* times_script() {
  return kTimesScript;
}

std::optional<LoadWindow> load_window(const core::ServiceIdentity& identity,
                                      const std::optional<UnitStatus>& unit, LoadedAt loaded_at) {
  const std::int64_t main = std::atoll(identity.start_time.c_str());
  if (main <= 0) return std::nullopt;
  if (loaded_at == LoadedAt::main_process) {
    const bool reloads = unit && unit->get("CanReload") == "yes";
    const std::int64_t changed_us = unit ? unit->number("StateChangeTimestampMonotonic") : 0;
    return LoadWindow{main, reloads ? std::max(main, changed_us / 10'000) : main};
  }
  std::int64_t found = 0;
  for (const std::string& worker : identity.workers) {
    const std::int64_t start = start_of(worker);
    if (start <= 0) continue;
    const bool oldest = loaded_at == LoadedAt::oldest_worker;
    if (found == 0 || (oldest ? start < found : start > found)) found = start;
  }
  // Without workers it was read at the start, or at some reload since.
  if (found == 0) return std::nullopt;
  return LoadWindow{found, found};
}

namespace {

// What times_script printed.
struct Times {
  double now = 0, ticks = 0;  // both clocks at one moment
  std::vector<File> files;
};

Times read_times(std::string_view out) {
  Times times;
  for (const std::string& line : split(out, '\n')) {
    const std::vector<std::string> parts = split(line, ' ');
    if (parts.size() < 3) continue;
    if (parts[0] == "n") {
      times.now = std::strtod(parts[1].c_str(), nullptr);
      times.ticks = std::strtod(parts[2].c_str(), nullptr);
    } else if (parts[0] == "c") {
      times.files.push_back(
          {std::strtod(parts[1].c_str(), nullptr), line.substr(parts[1].size() + 3)});
    }
  }
  return times;
}

// since, until: by the host's wall clock.
std::optional<Check> judge_times(const Times& times, double since, double until) {
  if (times.now <= 0 || times.ticks <= 0) return not_known("the host's clock could not be read");
  std::vector<File> after, between;
  for (const File& file : times.files) {
    if (file.changed > until + kTolerance) {
      after.push_back(file);
    } else if (file.changed > since + kTolerance) {
      between.push_back(file);
    }
  }
  if (!after.empty()) {
    return check(kPendingEdits, CheckStatus::warn,
                 "changed since the program last read its configuration (" + moment(until) +
                     "): " + list(after) + "; a reload or restart activates that, too",
                 "whose edit is it? Nobody's reload has tried it yet");
  }
  if (!between.empty())
    return not_known(list(between) + " changed after it started, maybe before a reload");
  return std::nullopt;
}

Task<Result<std::string>> ask_times(ports::Host* host, ConfigTree* tree) {
  const auto known = co_await tree->known();
  if (!known) co_return tl::unexpected<Error>(known.error());
  auto ran = co_await host->script(kTimesScript, known->patterns, kTimesDeadlineMs, host->sudo());
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  const std::string_view out = trim(ran->out);
  if (ran->exit_code != 0 || ran->truncated || out.empty() || out.back() != 'z')
    co_return fail(ErrorCode::failed, describe_exit(*ran));
  co_return std::string(out);
}

}  // namespace

std::optional<Check> judge_edits(const LoadWindow& window, std::string_view out) {
  const Times times = read_times(out);
  const auto wall = [&](std::int64_t at) {
    return times.now - (times.ticks - static_cast<double>(at)) / kTicksPerSecond;
  };
  return judge_times(times, wall(window.since), wall(window.until));
}

Task<std::optional<Check>> pending_edits(ports::Host* host, ConfigTree* tree,
                                         core::ServiceIdentity identity,
                                         std::optional<UnitStatus> unit, LoadedAt loaded_at) {
  if (!identity.active || tree->roots().empty()) co_return std::nullopt;
  const auto window = load_window(identity, unit, loaded_at);
  if (!window) co_return not_known("it has no workers that tell when they started");
  const auto out = co_await ask_times(host, tree);
  if (!out) co_return not_known(describe(out.error()));
  co_return judge_edits(*window, *out);
}

Task<std::optional<Check>> pending_edits_since(ports::Host* host, ConfigTree* tree,
                                               double loaded_s) {
  if (tree->roots().empty()) co_return std::nullopt;
  if (loaded_s <= 0) co_return not_known("it does not tell when it read its configuration");
  const auto out = co_await ask_times(host, tree);
  if (!out) co_return not_known(describe(out.error()));
  co_return judge_times(read_times(*out), loaded_s, loaded_s);
}

}  // namespace hitless::service
