#include "adapters/service/apt.hpp"

#include <algorithm>

#include "adapters/service/evidence.hpp"
#include "adapters/service/stale_script.hpp"
#include "base/text.hpp"
#include "ports/claim_files.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;
using core::Outcome;
using core::OutcomeStatus;

constexpr DurationMs kLookDeadlineMs = 60'000;  // apt reads its whole cache
constexpr DurationMs kStaleDeadlineMs = 20'000;
constexpr std::size_t kMaxPackages = 500;
constexpr int kAptLocked = 71, kDpkgBroken = 72, kArchiveMoved = 73, kNoWayBack = 74;

// $1… packages, none: all. One letter opens each line: a apt says no, d dpkg is not whole, l it is
// locked, c name|from|to|way back, r removed, h held, z the end.
constexpr const char* kLookScript = R"sh(
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1 || { echo 'a there is no apt here'; echo z; exit 0; }
audit=$(dpkg --audit 2>&1 | head -n 5 | tr '\n' ' ' | cut -c1-300)
[ -z "$audit" ] || echo "d $audit"
locked=$(apt-get check -q -o DPkg::Lock::Timeout=0 2>&1 >/dev/null) || printf 'l %s\n' "$(printf '%s' "$locked" | tr '\n' ' ' | cut -c1-300)"
apt-mark showhold 2>/dev/null | head -n 100 | sed 's/^/h /'
if [ $# -gt 0 ]; then set -- install --only-upgrade -- "$@"; else set -- upgrade; fi
plan=$(apt-get -q --simulate --no-install-recommends -o APT::Get::Show-User-Simulation-Note=no -o DPkg::Lock::Timeout=0 "$@" 2>&1) ||
  printf 'a %s\n' "$(printf '%s' "$plan" | grep '^E:' | tr '\n' ' ' | cut -c1-300)"
printf '%s\n' "$plan" | grep -E '^Remv ' | head -n 20 | cut -d' ' -f2 | sed 's/^/r /'
# Inst NAME [FROM] (TO ARCHIVE [ARCH]) …; a new one has no [FROM].
changes=$(printf '%s\n' "$plan" | sed -n 's/^Inst \([^ ]*\) \[\([^]]*\)\] (\([^ ]*\) .*\[\([a-z0-9-]*\)\]).*$/\1 \2 \3 \4/p; s/^Inst \([^ ]*\) (\([^ ]*\) .*\[\([a-z0-9-]*\)\]).*$/\1 - \2 \3/p')
[ -n "$changes" ] || { echo z; exit 0; }
# One question for all: each takes apt a second. Lines: NAME | VERSION | where.
archive=$(apt-cache madison -- $(printf '%s\n' "$changes" | cut -d' ' -f1) 2>/dev/null | tr -d ' ' | cut -d'|' -f1,2)
installed=$(dpkg-query -W -f '${Package}|${Version}|${Architecture}\n')
printf '%s\n' "$changes" | while IFS=' ' read -r name from to arch; do
  back=
  if [ "$from" != - ]; then
    was=$(printf '%s\n' "$installed" | grep -F "${name%%:*}|$from|" | head -n 1)
    was=${was##*|}
    case $name in *:*) arch=${name##*:} ;; *) arch=${was:-$arch} ;; esac
    file="/var/cache/apt/archives/${name%%:*}_$(printf '%s' "$from" | sed 's/:/%3a/')_$arch.deb"
    if printf '%s\n' "$archive" | grep -qxF -- "${name%%:*}|$from"; then back=archive
    elif [ -f "$file" ] && dpkg-deb -f "$file" Package >/dev/null 2>&1; then back=$file
    fi
  else
    from=
  fi
  echo "c $name|$from|$to|$back"
done
echo z
)sh";

// $1 epoch, $2 forward|backward, $3 n, then n words for apt (NAME=VERSION or a .deb), n times
// NAME=VERSION as it must be afterwards, then service and port of each claim. No word holds a
// blank or a pattern. Behind the claim functions.
constexpr const char* kInstallScript = R"sh(
epoch=$1 direction=$2 n=$3; shift 3
set -f
words= wanted= i=0
while [ $i -lt "$n" ]; do words="$words $1"; shift; i=$((i + 1)); done
while [ $i -gt 0 ]; do wanted="$wanted $1"; shift; i=$((i - 1)); done
while [ $# -ge 2 ]; do
  ( set +f; fence "$1" "$2" "$epoch" ) || exit 94
  shift 2
done
LC_ALL=C DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none
export LC_ALL DEBIAN_FRONTEND DEBIAN_PRIORITY NEEDRESTART_SUSPEND APT_LISTCHANGES_FRONTEND
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
umask 022
as_wanted() {
  for word in $wanted; do
    now=$(dpkg-query -W -f '${db:Status-Status} ${Version}\n' -- "${word%%=*}" 2>/dev/null | head -n 1)
    [ "$now" = "installed ${word#*=}" ] || { echo "${word%%=*} is ${now:-not there}, wanted ${word#*=}"; return 1; }
  done
}
if as_wanted >/dev/null; then echo 'installed already'; exit 0; fi
# What an earlier try of ours left half done is finished first; dpkg knows how.
if [ -n "$(dpkg --audit 2>/dev/null)" ]; then
  dpkg --force-confdef --force-confold --configure -a </dev/null >/dev/null 2>&1
  audit=$(dpkg --audit 2>/dev/null | head -n 5)
  [ -z "$audit" ] || { printf '%s\n' "$audit"; exit 72; }
fi
options='-y -q --no-remove --no-install-recommends -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold'
[ "$direction" = forward ] || options="$options --allow-downgrades"
plan=$(apt-get --simulate $options install -- $words 2>&1) || {
  printf '%s\n' "$plan" | grep '^E:' | head -n 3
  case $plan in *'Could not get lock'*) exit 71 ;; esac
  [ "$direction" = forward ] && exit 73
  exit 74
}
others=$(printf '%s\n' "$plan" | sed -n 's/^Inst \([^ ]*\) .*$/\1/p; s/^Remv \([^ ]*\) .*$/\1/p' |
  while IFS= read -r name; do
    case " $wanted" in *" ${name%%:*}="*|*" ${name%%:*}:"*) ;; *) printf '%s ' "$name" ;; esac
  done)
if [ -n "$others" ]; then echo "it would also change $others"; exit 73; fi
lines=$(apt-get $options install -- $words </dev/null 2>&1)
if problem=$(as_wanted); then exit 0; fi
printf '%s\n' "$lines" | tail -n 12
echo "$problem"
case $lines in *'Could not get lock'*) exit 71 ;; esac
exit 1
)sh";

// $1… units. Lists those that are stale, and all others on the host that run what is gone.
constexpr const char* kStaleScript = R"sh(
gone=$(list_gone); named=$(list_named)
for unit in "$@"; do stale "$unit"; done
printf '%s\n' "$gone"
printf '%s\n' "$named"
echo z
)sh";

bool is_word(const std::string& text, std::string_view more) {
  return !text.empty() && text.size() <= 200 && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  more.find(c) != std::string_view::npos;
         });
}

bool is_version(const std::string& text) {
  return is_word(text, ".+~:-");
}

// The file that apt keeps, and no other.
bool is_cached_deb(const std::string& path) {
  constexpr std::string_view folder = "/var/cache/apt/archives/";
  return path.starts_with(folder) && path.ends_with(".deb") &&
         is_word(path.substr(folder.size()), ".+~:_%-");
}

Outcome outcome(OutcomeStatus status, std::string_view detail) {
  Outcome result;
  result.status = status;
  result.detail = evidence(detail);
  return result;
}

std::string why_not(const ports::ExecResult& ran) {
  const std::string said = last_lines(ran.out + "\n" + ran.err, 6);
  switch (ran.exit_code) {
    case kAptLocked:
      return "apt or dpkg is in use by somebody else: " + said;
    case kDpkgBroken:
      return "dpkg was interrupted and cannot be finished: " + said;
    case kArchiveMoved:
      return "the archive is not what was planned: " + said;
    case kNoWayBack:
      return "the old version is no longer to be had: " + said;
    default:
      return "apt-get: exit " + std::to_string(ran.exit_code) + ": " + said;
  }
}

void add_line(ports::PackageFacts& facts, std::vector<std::string>& held, char kind,
              const std::string& rest) {
  switch (kind) {
    case 'a':
      facts.checks.push_back(check("apt", CheckStatus::fail, rest,
                                   "`apt-get --simulate upgrade` on the host says more"));
      break;
    case 'd':
      facts.checks.push_back(check("dpkg", CheckStatus::fail, "it was interrupted: " + rest,
                                   "`dpkg --configure -a` on the host, by hand"));
      break;
    case 'l':
      facts.checks.push_back(check("apt lock", CheckStatus::fail, rest,
                                   "wait for whoever uses apt there (unattended-upgrades?)"));
      break;
    case 'r':
      facts.checks.push_back(check("apt", CheckStatus::fail, "it would remove " + rest,
                                   "such an upgrade is made by hand"));
      break;
    case 'h':
      held.push_back(rest);
      break;
    default:
      break;
  }
}

class Apt final : public ports::Packages {
 public:
  Apt(ports::Host* host, AptConfig config) : host_(host), config_(std::move(config)) {}

  Task<Result<ports::PackageFacts>> pending(std::vector<std::string> names) override {
    for (const std::string& name : names) {
      if (!is_package_name(name))
        co_return fail(ErrorCode::invalid, "not a package name: " + escape_for_terminal(name));
    }
    auto ran = co_await host_->script(kLookScript, names, kLookDeadlineMs, host_->sudo());
    if (!ran) co_return tl::unexpected<Error>(ran.error());
    if (ran->exit_code != 0 || ran->truncated)
      co_return fail(ErrorCode::failed, "cannot ask apt: " + describe_exit(*ran), host_->name());
    co_return parse_pending(ran->out, host_->name());
  }

  Task<Result<std::vector<ports::StaleUnit>>> stale() override {
    auto ran = co_await host_->script(std::string(stale_functions) + kStaleScript, config_.units,
                                      kStaleDeadlineMs, host_->sudo());
    if (!ran) co_return tl::unexpected<Error>(ran.error());
    std::vector<ports::StaleUnit> found;
    bool whole = false;
    for (const std::string& line : split(ran->out, '\n')) {
      if (line == "z") whole = true;
      const std::size_t gap = line.find(' ');
      if (gap == std::string::npos || found.size() >= kMaxPackages) continue;
      ports::StaleUnit unit{line.substr(0, gap), evidence(line.substr(gap + 1))};
      const bool known = std::any_of(found.begin(), found.end(),
                                     [&](const auto& each) { return each.unit == unit.unit; });
      if (!known) found.push_back(std::move(unit));
    }
    if (ran->exit_code != 0 || !whole || ran->truncated)
      co_return fail(ErrorCode::failed, "cannot see what runs: " + describe_exit(*ran),
                     host_->name());
    co_return found;
  }

  Task<Result<Outcome>> install(ports::InstallOrder order) override {
    if (order.packages.empty()) co_return outcome(OutcomeStatus::ok, "nothing to install");
    ports::Operation operation;
    operation.id = std::move(order.operation_id);
    std::vector<std::string> words, after;
    for (const ports::PackageChange& each : order.packages) {
      const std::string& version = order.backward ? each.from : each.to;
      if (order.backward && version.empty()) continue;  // what came new stays
      if (!is_package_name(each.name) || !is_version(version))
        co_return fail(ErrorCode::invalid, "not a package and version: " +
                                               escape_for_terminal(each.name + "=" + version));
      const bool file = order.backward && is_cached_deb(each.way_back);
      after.push_back(each.name + "=" + version);
      words.push_back(file ? each.way_back : after.back());
    }
    if (after.empty()) co_return outcome(OutcomeStatus::ok, "nothing to install");
    operation.argv = {"sh",
                      "-c",
                      std::string(ports::claim_functions) + kInstallScript,
                      "hitless-install",
                      std::to_string(order.fence.epoch),
                      order.backward ? "backward" : "forward",
                      std::to_string(words.size())};
    operation.argv.insert(operation.argv.end(), words.begin(), words.end());
    operation.argv.insert(operation.argv.end(), after.begin(), after.end());
    if (!order.fence.service.empty())
      operation.argv.insert(operation.argv.end(), config_.claims.begin(), config_.claims.end());
    operation.deadline_ms = order.deadline_ms;
    operation.fence = std::move(order.fence);
    auto ran = co_await host_->run_operation(std::move(operation));
    if (!ran) co_return tl::unexpected<Error>(ran.error());
    if (ran->exit_code == 0) co_return outcome(OutcomeStatus::ok, join(after, ", "));
    co_return outcome(OutcomeStatus::failed, why_not(*ran));
  }

 private:
  ports::Host* host_;
  AptConfig config_;
};

}  // namespace

bool is_package_name(const std::string& name) {
  return is_word(name, ".+-:");
}

Result<ports::PackageFacts> parse_pending(const std::string& out, const std::string& host) {
  ports::PackageFacts facts;
  std::vector<std::string> held;
  bool whole = false;
  for (const std::string& line : split(out, '\n')) {
    if (line.empty()) continue;
    const std::string rest = line.size() > 2 ? line.substr(2) : std::string();
    if (line[0] == 'z') whole = true;
    if (line[0] != 'c') {
      add_line(facts, held, line[0], rest);
      continue;
    }
    const std::vector<std::string> fields = split(rest, '|');
    if (fields.size() != 4 || !is_package_name(fields[0]) ||
        (!fields[1].empty() && !is_version(fields[1])) || !is_version(fields[2]) ||
        facts.changes.size() >= kMaxPackages) {
      return fail(ErrorCode::failed, "apt's answer cannot be read: " + evidence(line), host);
    }
    facts.changes.push_back({fields[0], fields[1], fields[2], fields[3]});
  }
  if (!whole) return fail(ErrorCode::failed, "apt's answer was cut off", host);
  if (!held.empty())
    facts.checks.push_back(check("Held packages", CheckStatus::pass, join(held, ", ")));
  return facts;
}

std::unique_ptr<ports::Packages> make_apt(ports::Host& host, AptConfig config) {
  return std::make_unique<Apt>(&host, std::move(config));
}

ports::PrivilegedCommands privileged_commands_of_apt() {
  using ports::CommandWord;
  const std::string word = "[A-Za-z0-9/][A-Za-z0-9.+~:_%=/-]*";
  ports::PrivilegedCommands all;
  all.commands.push_back({{"sh"}, {"-c"}, {kLookScript}, {"sh"}, CommandWord::patterns(word)});
  all.commands.push_back({{"sh"},
                          {"-c"},
                          {std::string(stale_functions) + kStaleScript},
                          {"sh"},
                          CommandWord::patterns("[A-Za-z0-9:_.@\\\\-]+")});
  all.operations.push_back({{"sh"},
                            {"-c"},
                            {std::string(ports::claim_functions) + kInstallScript},
                            {"hitless-install"},
                            CommandWord::pattern("[0-9]+"),
                            CommandWord::pattern("(forward|backward)"),
                            CommandWord::patterns(word)});
  return all;
}

}  // namespace hitless::service
