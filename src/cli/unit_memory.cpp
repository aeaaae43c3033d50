#include "cli/unit_memory.hpp"

#include <charconv>

#include "base/text.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kDeadlineMs = 10'000;

}  // namespace

const std::string kUnitMemoryScript = R"sh(
LC_ALL=C; export LC_ALL
group=$(systemctl show -p ControlGroup --value -- "$1" 2>/dev/null)
for file in "/sys/fs/cgroup$group/cgroup.procs" "/sys/fs/cgroup/systemd$group/cgroup.procs" "/sys/fs/cgroup/unified$group/cgroup.procs"; do
  [ -n "$group" ] && [ -r "$file" ] || continue
  while IFS= read -r pid; do cat "/proc/$pid/status" 2>/dev/null; done <"$file" |
    awk '/^RssAnon:/ {sum += $2; n++} END {if (n) print sum}'
  break
done
)sh";

Task<Result<std::int64_t>> unit_memory_kib(ports::Host* host, std::string unit) {
  if (unit.empty()) co_return fail(ErrorCode::not_found, "the service has no unit");
  auto ran = co_await host->script(kUnitMemoryScript, {std::move(unit)}, kDeadlineMs, false);
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  const std::string_view said = trim(ran->out);
  std::int64_t kib = 0;
  const auto [end, error] = std::from_chars(said.data(), said.data() + said.size(), kib);
  if (said.empty() || error != std::errc() || end != said.data() + said.size())
    co_return fail(ErrorCode::failed, "the memory of its processes could not be read");
  co_return kib;
}

}  // namespace hitless::cli
