#include "adapters/service/host_facts.hpp"

#include <algorithm>

#include "adapters/service/evidence.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

constexpr DurationMs kFactsDeadlineMs = 5'000;
constexpr std::size_t kMaxReasons = 5;

constexpr const char* kFactsScript = R"sh(
LC_ALL=C; export LC_ALL
read -r boot </proc/sys/kernel/random/boot_id || exit 1
echo "b $boot"
if [ -d /run/systemd/system ]; then echo "s $(systemctl is-system-running 2>/dev/null)"; fi
if [ -e /run/reboot-required ]; then
  echo r
  if [ -r /run/reboot-required.pkgs ]; then sort -u /run/reboot-required.pkgs | head -n 20 | cut -c1-100 | sed 's/^/p /'; fi
fi
echo z
)sh";

constexpr const char* kEnabledScript = R"sh(
LC_ALL=C; export LC_ALL
for unit in "$@"; do
  state=$(systemctl is-enabled -- "$unit" 2>/dev/null | head -n 1)
  echo "${state:-unknown}"
done
)sh";

bool is_boot_id(const std::string& text) {
  return text.size() == 36 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
         });
}

}  // namespace

Result<HostFacts> parse_host_facts(const std::string& out, const std::string& host) {
  HostFacts facts;
  std::vector<std::string> reasons;
  bool whole = false;
  for (const std::string& line : split(out, '\n')) {
    if (line.empty()) continue;
    const std::string rest = line.size() > 2 ? line.substr(2) : std::string();
    switch (line[0]) {
      case 'b':
        facts.boot_id = rest;
        break;
      case 's':
        facts.systemd = true;
        facts.system_state = rest.empty() ? "unknown" : rest;
        break;
      case 'r':
        facts.reboot_required = true;
        break;
      case 'p':
        if (reasons.size() < kMaxReasons) reasons.push_back(rest);
        break;
      case 'z':
        whole = true;
        break;
      default:
        break;
    }
  }
  if (!whole || !is_boot_id(facts.boot_id))
    return fail(ErrorCode::failed, "its boot id cannot be read: " + evidence(last_lines(out, 2)),
                host);
  facts.reboot_reason = evidence(join(reasons, ", "));
  return facts;
}

Task<Result<HostFacts>> read_host_facts(ports::Host* host) {
  auto ran = co_await host->script(kFactsScript, {}, kFactsDeadlineMs);
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  if (ran->exit_code != 0)
    co_return fail(ErrorCode::failed, "cannot look at the host: " + describe_exit(*ran),
                   host->name());
  co_return parse_host_facts(ran->out, host->name());
}

Task<Result<std::vector<std::string>>> read_enabled(ports::Host* host,
                                                    std::vector<std::string> units) {
  std::vector<std::string> states;
  if (units.empty()) co_return states;
  auto ran = co_await host->script(kEnabledScript, units, kFactsDeadlineMs);
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  for (const std::string& line : split(ran->out, '\n')) {
    if (!line.empty()) states.push_back(evidence(line));
  }
  if (ran->exit_code != 0 || states.size() != units.size())
    co_return fail(ErrorCode::failed, "cannot ask what starts at boot: " + describe_exit(*ran),
                   host->name());
  co_return states;
}

}  // namespace hitless::service
