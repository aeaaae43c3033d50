#include "adapters/traffic/touch_file.hpp"

#include <algorithm>

#include "adapters/traffic/host_sockets.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;

constexpr DurationMs kLookDeadlineMs = 2'500;
constexpr DurationMs kTellDeadlineMs = 10'000;

// Prints what is there; `drain` and `rejoin` change it first. One rename each: there is no moment
// with neither name. sync makes it outlive a power cut of the host.
constexpr const char* kScript = R"sh(
d=$2.hitless-drained
for f in "$2" "$d"; do
  if [ -L "$f" ] || { [ -e "$f" ] && [ ! -f "$f" ]; }; then echo odd; exit 0; fi
done
case $1 in
  drain) if [ -e "$2" ]; then mv -f -- "$2" "$d" || exit 81; sync -- "$d" 2>/dev/null; fi ;;
  rejoin) if [ ! -e "$2" ] && [ -e "$d" ]; then mv -- "$d" "$2" || exit 81; sync -- "$2" 2>/dev/null; fi ;;
esac
p=${2%/*}
[ -d "${p:-/}" ] || { echo "no folder $p" >&2; exit 82; }
if [ -e "$2" ]; then echo ready; elif [ -e "$d" ]; then echo drain; else echo maint; fi
)sh";

class TouchFile final : public ports::Traffic {
 public:
  explicit TouchFile(TouchFilePool pool) : pool_(std::move(pool)) {}

  [[nodiscard]] std::string describe() const override {
    std::vector<std::string> hosts;
    for (const TouchFileMember& member : pool_.members) hosts.push_back(member.host->name());
    return escape_for_terminal(pool_.lb + " @ " + join(hosts, ", "));
  }
  Task<Result<ports::TrafficCapabilities>> capabilities() override;
  Task<std::vector<core::TargetReport>> read() override;
  Task<Status> drain(core::InstanceId target) override {
    co_return co_await tell(std::move(target), "drain");
  }
  Task<Status> rejoin(core::InstanceId target) override {
    co_return co_await tell(std::move(target), "rejoin");
  }
  Task<Status> close_remaining(core::InstanceId) override {
    co_return fail(ErrorCode::refused, "a file cannot close connections", pool_.lb,
                   "use on_deadline: abort or wait");
  }
  Task<std::vector<ports::PoolCounters>> counters() override {
    ports::PoolCounters none;  // nobody counts
    none.node = "file";
    co_return std::vector<ports::PoolCounters>{none};
  }
  [[nodiscard]] bool has_counters() const override { return false; }

 private:
  using Member = const TouchFileMember*;
  Task<Result<AdminState>> run(Member member, std::string verb, DurationMs deadline_ms);
  Task<void> read_one(Member member, core::TargetReport* out);
  Task<Status> tell(core::InstanceId target, std::string verb);

  TouchFilePool pool_;
};

Task<Result<AdminState>> TouchFile::run(Member member, std::string verb, DurationMs deadline_ms) {
  if (auto ok = check_absolute_path(member->file); !ok) co_return tl::unexpected(ok.error());
  std::vector<std::string> args = {std::move(verb), member->file};
  auto ran = co_await member->host->script(kScript, std::move(args), deadline_ms, true);
  if (!ran) co_return tl::unexpected(ran.error());
  const std::string_view said = trim(ran->out);
  if (ran->exit_code == 0 && said == "ready") co_return AdminState::ready;
  if (ran->exit_code == 0 && said == "drain") co_return AdminState::drain;
  if (ran->exit_code == 0 && said == "maint") co_return AdminState::maint;
  const std::string why = said == "odd"
                              ? "it is not a regular file"
                              : redact(escape_for_terminal(truncate_utf8(trim(ran->err), 200)));
  co_return fail(ErrorCode::failed, escape_for_terminal(member->file) + ": " + why,
                 member->host->name(), "see the file and its folder on that host");
}

Task<void> TouchFile::read_one(Member member, core::TargetReport* out) {
  out->instance = member->instance;
  out->lb = out->pool = pool_.lb;
  out->node = member->host->name();
  auto state = co_await run(member, "look", kLookDeadlineMs);
  if (!state) {
    out->note = hitless::describe(state.error());
    co_return;
  }
  out->admin = *state;
  out->check = core::LbCheck::none;  // the load balancers' checks are not ours to read
  out->epoch = "file";
  if (*state == AdminState::maint) out->note = "somebody took away " + member->file;
}

Task<std::vector<core::TargetReport>> TouchFile::read() {
  std::vector<core::TargetReport> all(pool_.members.size());
  std::vector<Task<void>> tasks;
  std::vector<InstanceSockets> sockets;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const TouchFileMember& member = pool_.members[i];
    tasks.push_back(read_one(&member, &all[i]));
    sockets.push_back({member.instance, member.host, member.port});
  }
  co_await join_all(std::move(tasks));
  std::erase_if(sockets, [&](const InstanceSockets& each) {
    const auto report = std::ranges::find(all, each.instance, &core::TargetReport::instance);
    return report->admin == AdminState::unknown;  // it says why already
  });
  co_await count_host_sockets(std::move(sockets), &all);
  co_return all;
}

Task<Status> TouchFile::tell(core::InstanceId target, std::string verb) {
  const auto member = std::ranges::find(pool_.members, target, &TouchFileMember::instance);
  if (member == pool_.members.end())
    co_return fail(ErrorCode::not_found,
                   escape_for_terminal(target.value) + " is not in " + describe());
  const bool rejoins = verb == "rejoin";
  auto state = co_await run(&*member, std::move(verb), kTellDeadlineMs);
  if (!state) co_return tl::unexpected(state.error());
  if (rejoins && *state == AdminState::maint)
    co_return fail(
        ErrorCode::refused,
        escape_for_terminal(member->file) + " is not ours to put back: somebody else took it away",
        member->host->name(), "whoever took it away must put it back");
  if (rejoins ? *state == AdminState::ready : *state != AdminState::ready) co_return Status{};
  co_return fail(ErrorCode::failed, escape_for_terminal(member->file) + " did not change",
                 member->host->name(), "does something else make or remove it?");
}

Task<Result<ports::TrafficCapabilities>> TouchFile::capabilities() {
  for (const TouchFileMember& member : pool_.members) {
    auto state = co_await run(&member, "look", kLookDeadlineMs);
    if (!state) co_return tl::unexpected(state.error());
  }
  ports::TrafficCapabilities can;
  can.exact_in_flight = can.checked_rejoin = can.counts_requests = false;
  can.counts_idle = can.survives_lb_reload = can.survives_lb_restart = true;
  can.settle_ms = pool_.settle_ms;
  can.remarks = {
      "load balancers notice the file only by their health checks: work may arrive for " +
          format_duration(pool_.settle_ms) + " (settle), and an NLB cuts connections then",
      kHostSocketsRemark,
      "a load balancer that finds too few healthy members may send to all of them, also to one "
      "whose file is away (fail-open)",
      "the load balancers are not asked: whether they all watch the file is not seen, and "
      "no certificate is given"};
  co_return can;
}

}  // namespace
}  // namespace traffic

std::unique_ptr<ports::Traffic> make_touch_file(TouchFilePool pool) {
  return std::make_unique<traffic::TouchFile>(std::move(pool));
}

ports::PrivilegedCommands touch_file_commands(const std::string& file) {
  using ports::CommandWord;
  ports::PrivilegedCommands all;
  all.commands.push_back({{"sh"},
                          {"-c"},
                          {traffic::kScript},
                          {"sh"},
                          CommandWord::pattern("(look|drain|rejoin)"),
                          {file}});
  return all;
}

}  // namespace hitless
