#include "adapters/traffic/ipvs.hpp"

#include "adapters/traffic/ipvs_table.hpp"
#include "adapters/traffic/node_http.hpp"
#include "adapters/traffic/node_pool.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless {
namespace traffic {
namespace {

using core::AdminState;

constexpr DurationMs kLookMs = 2'500, kTellMs = 10'000;
constexpr DurationMs kSettleMs = 200;  // a packet that is on its way through

// look BINARY FOLDER -t SERVICE: the service's table, the weights that we keep, what else matters.
// drain BINARY FOLDER -t SERVICE SERVER: keeps the weight first, so that at no moment is a drain
// without it. rejoin …: puts the kept weight back. 81: it has no weight kept, so it is not ours.
// An edit sets what it is not told to its defaults (direct routing, no thresholds), so it is told
// all that the server has. 82: an edit would lose something of the server; nothing was touched.
constexpr const char* kScript = R"sh(
verb=$1 ipvsadm=$2 folder=$3 flag=$4 service=$5 server=$6
LC_ALL=C; export LC_ALL
key=$(printf '%s %s' "$flag" "$service" | tr -c 'A-Za-z0-9\n' _)
row() { "$ipvsadm" -Ln "$@" "$flag" "$service" | awk -v s="$server" '$1 == "->" && $2 == s { print $3, $4 }'; }
know() {
  set -- $(row)
  forward=$1 w=$2; case $w in ''|*[!0-9]*) echo "no weight of $server" >&2; exit 84;; esac
}
know_all() {
  case $forward in
    Masq) how=-m ;;
    Route) how=-g ;;
    Tunnel) how=-i
      set -- $(row --tun-info)
      [ "$2" = ipip ] || { echo "$server is behind a tunnel of type ${2:-unknown}" >&2; exit 82; } ;;
    *) echo "$server is forwarded as \`$forward\`" >&2; exit 82 ;;
  esac
  set -- $(row --thresholds)
  case $#$1$2 in 2*[!0-9]*|[!2]*) echo "no thresholds of $server" >&2; exit 84;; esac
  upper=$1 lower=$2
}
tell() { "$ipvsadm" -e "$flag" "$service" -r "$server" $how -x "$upper" -y "$lower" -w "$1"; }
file=$folder/$key/$(printf '%s' "$server" | tr ':[]' '+()')
case $verb in
look)
  "$ipvsadm" -Ln "$flag" "$service" || exit 1
  for f in "$folder/$key"/*; do
    [ -f "$f" ] && { read -r w <"$f"; echo "kept $(printf '%s' "${f##*/}" | tr '+()' ':[]') $w"; }
  done
  echo "expires $(cat /proc/sys/net/ipv4/vs/expire_quiescent_template 2>/dev/null || echo 0)"
  for p in /proc/[0-9]*/comm; do
    { read -r name <"$p"; } 2>/dev/null && [ "$name" = keepalived ] && { echo keepalived; break; }
  done
  echo end
  ;;
drain)
  know
  [ "$w" != 0 ] || exit 0
  know_all
  umask 022; mkdir -p -- "$folder/$key" && echo "$w" >"$file.new" && mv -f -- "$file.new" "$file" || exit 84
  tell 0
  ;;
rejoin)
  know
  if [ "$w" != 0 ]; then rm -f -- "$file"; exit 0; fi
  [ -f "$file" ] || exit 81
  read -r old <"$file"; case $old in ''|0|*[!0-9]*) exit 81;; esac
  know_all
  tell "$old" && rm -f -- "$file"
  ;;
esac
)sh";
constexpr int kNotOurs = 81, kNotTellable = 82;

bool can_be_told(const std::string& forward) {
  return forward == "Masq" || forward == "Route" || forward == "Tunnel";
}

PoolShape shape_of(const IpvsPool& pool) {
  PoolShape shape{pool.lb, pool.service, {}, {}, pool.sockets, check_ipvs(pool)};
  for (const IpvsNode& node : pool.nodes) shape.nodes.push_back(node.name);
  for (const IpvsMember& member : pool.members) shape.members.push_back(member.instance);
  return shape;
}

class Ipvs final : public NodePool {
 public:
  explicit Ipvs(IpvsPool pool) : NodePool(shape_of(pool)), pool_(std::move(pool)) {}

 protected:
  Task<Status> read_node(std::size_t node, std::vector<core::TargetReport>* reports) override;
  Task<Status> change_node(std::size_t node, std::size_t member, bool in) override;
  Task<Status> add_capabilities(std::size_t node, ports::TrafficCapabilities* can) override;

 private:
  Task<Result<ports::ExecResult>> run(std::size_t node, std::string verb, std::string server,
                                      DurationMs deadline_ms);
  Task<Result<IpvsView>> look(std::size_t node);

  IpvsPool pool_;
};

Task<Result<ports::ExecResult>> Ipvs::run(std::size_t node, std::string verb, std::string server,
                                          DurationMs deadline_ms) {
  const auto words = ipvs_service_words(pool_.service);
  if (!words) co_return tl::unexpected(words.error());
  std::vector<std::string> args = {std::move(verb), pool_.binary, pool_.state_folder, (*words)[0],
                                   (*words)[1]};
  if (!server.empty()) args.push_back(std::move(server));
  auto ran = co_await pool_.nodes[node].host->script(kScript, std::move(args), deadline_ms, true);
  if (!ran) co_return tl::unexpected(ran.error());
  if (ran->exit_code == 0 || ran->exit_code == kNotOurs) co_return ran;
  if (ran->exit_code == kNotTellable)
    co_return fail(ErrorCode::refused, shown(ran->err) + ": an edit by ipvsadm would change that",
                   {}, "only masquerading, direct routing and ipip tunnels are drained");
  co_return fail(ErrorCode::failed, "ipvsadm: " + shown(ran->err.empty() ? ran->out : ran->err), {},
                 "hitless must be root there (`sudo: true`), and ipvsadm installed");
}

Task<Result<IpvsView>> Ipvs::look(std::size_t node) {
  const auto ran = co_await run(node, "look", {}, kLookMs);
  if (!ran) co_return tl::unexpected(ran.error());
  co_return parse_ipvs_look(ran->out, pool_.service);
}

Task<Status> Ipvs::read_node(std::size_t node, std::vector<core::TargetReport>* reports) {
  const auto view = co_await look(node);
  if (!view) co_return tl::unexpected(view.error());
  for (std::size_t i = 0; i < reports->size(); ++i) {
    core::TargetReport& out = (*reports)[i];
    const auto found = view->servers.find(pool_.members[i].server);
    if (found == view->servers.end()) {
      out.admin = AdminState::absent;
      out.note = node_name(node) + ": " + pool_.members[i].server + " is not in " + pool_.service +
                 (view->keepalived ? " (keepalived takes away what fails its check)" : "");
      continue;
    }
    const IpvsServer& server = found->second;
    out.admin = server.weight > 0     ? AdminState::ready
                : server.drained_from ? AdminState::drain
                                      : AdminState::maint;
    out.check = core::LbCheck::none;
    out.in_flight = server.active;
    out.epoch = "ipvs";
  }
  co_return Status{};
}

Task<Status> Ipvs::change_node(std::size_t node, std::size_t member, bool in) {
  const std::string& server = pool_.members[member].server;
  const auto ran = co_await run(node, in ? "rejoin" : "drain", server, kTellMs);
  if (!ran) co_return tl::unexpected(ran.error());
  if (ran->exit_code == kNotOurs)
    co_return fail(ErrorCode::refused,
                   server + " is not ours to put back: somebody else set its weight to 0", {},
                   "whoever took it out must put it back");
  const auto view = co_await look(node);
  if (!view) co_return tl::unexpected(view.error());
  const auto found = view->servers.find(server);
  if (found == view->servers.end())
    co_return fail(ErrorCode::failed, server + " is not in " + pool_.service + " any more");
  if (in == (found->second.weight > 0)) co_return Status{};
  co_return fail(ErrorCode::failed,
                 "the weight of " + server + " is " + std::to_string(found->second.weight) +
                     " after it was " + (in ? "put back" : "set to 0"),
                 {}, "does keepalived, or something else, set it?");
}

Task<Status> Ipvs::add_capabilities(std::size_t node, ports::TrafficCapabilities* can) {
  const auto view = co_await look(node);
  if (!view) co_return tl::unexpected(view.error());
  for (const IpvsMember& member : pool_.members) {
    const auto found = view->servers.find(member.server);
    if (found != view->servers.end() && can_be_told(found->second.forward)) continue;
    if (found != view->servers.end())
      co_return fail(ErrorCode::refused,
                     member.server + " is forwarded as `" + shown(found->second.forward) +
                         "`: an edit by ipvsadm would change that",
                     {}, "only masquerading, direct routing and ipip tunnels are drained");
    std::vector<std::string> known;
    for (const auto& [name, server] : view->servers) known.push_back(name);
    const std::string near = nearest(member.server, known);
    co_return fail(ErrorCode::not_found, pool_.service + " has no server " + member.server, {},
                   near.empty() ? "" : "did you mean " + escape_for_terminal(near) + "?");
  }
  can->exact_in_flight = can->checked_rejoin = can->counts_requests = false;
  can->counts_idle = can->survives_lb_reload = true;
  can->settle_ms = kSettleMs;
  const std::string& name = node_name(node);
  if (view->persistent && !view->expires_templates) {
    can->sticky_leak = true;
    can->remarks.push_back(name +
                           ": persistent clients still reach a server with weight 0, until their "
                           "template expires: set net.ipv4.vs.expire_quiescent_template=1");
  }
  if (view->keepalived)
    can->remarks.push_back(
        name +
        ": keepalived runs: it may set weights anew at its reload, and puts a server back in "
        "rotation as soon as its own check passes again");
  if (node == 0 && pool_.service.starts_with("fwmark:"))
    can->remarks.emplace_back(
        "the mark must carry TCP only: of UDP no active connections are counted, and a drain would "
        "not wait for it");
  if (node == 0)
    can->remarks.emplace_back(
        "connections are counted, idle kept-alive ones too; no requests and errors: no certificate "
        "is given. A reboot of the director forgets drains");
  co_return Status{};
}

}  // namespace
}  // namespace traffic

Status check_ipvs(const IpvsPool& pool) {
  if (auto ok = traffic::ipvs_service_words(pool.service); !ok) return tl::unexpected(ok.error());
  for (const std::string* path : {&pool.binary, &pool.state_folder})
    if (auto ok = check_absolute_path(*path); !ok) return ok;
  for (const IpvsMember& member : pool.members)
    if (auto ok = traffic::check_ipvs_server(member.server, pool.service); !ok) return ok;
  if (pool.nodes.empty()) return fail(ErrorCode::invalid, pool.lb + " has no nodes");
  for (const IpvsNode& node : pool.nodes)
    if (auto ok = check_identifier(node.name); !ok) return ok;
  return {};
}

std::unique_ptr<ports::Traffic> make_ipvs(IpvsPool pool) {
  return std::make_unique<traffic::Ipvs>(std::move(pool));
}

ports::PrivilegedCommands ipvs_commands(const std::string& binary) {
  using ports::CommandWord;
  ports::PrivilegedCommands all;
  const ports::CommandWords start = {{"sh"},
                                     {"-c"},
                                     {traffic::kScript},
                                     {"sh"},
                                     CommandWord::pattern("(look|drain|rejoin)"),
                                     {binary},
                                     {IpvsPool{}.state_folder}};
  ports::CommandWords words = start;
  words.insert(words.end(),
               {CommandWord::pattern("-[tf]"), CommandWord::pattern("[][0-9a-fA-F.:]+"),
                CommandWord::patterns("[][0-9a-fA-F.:]+")});
  all.commands.push_back(std::move(words));
  return all;
}

}  // namespace hitless
