#include "adapters/traffic/pgbouncer_hold.hpp"

#include "adapters/traffic/pgbouncer_view.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "ports/claim_files.hpp"

namespace hitless::traffic {
namespace {

constexpr DurationMs script_deadline_ms = 10'000;
constexpr const char* nobody_else = "-";

// $1 verb, $2 key, $3 folder or host, $4 port, $5 user, $6 os user, $7 database as the console
// takes it, $8 seconds, $9 generation. KEY-BOOT.hold in the private folder "pgbouncer" holds the
// generation: a process whose generation it is not has nothing to do any more.
constexpr const char* script_text = R"sh(
verb=$1 key=$2 to=$3 port=$4 user=$5 os_user=$6 database=$7 seconds=$8 gen=$9
console() {
  set -- timeout 5 psql -X -w -At -h "$to" -p "$port" -U "$user" -d pgbouncer -c "$1"
  if [ "$uid" = 0 ] && [ "$os_user" != - ]; then
    set -- runuser -u "$os_user" -- "$@"
  fi
  PGCONNECT_TIMEOUT=3 "$@" </dev/null
}
cd / && private_folder pgbouncer || exit 91
# A file from before a reboot says nothing.
IFS= read -r boot </proc/sys/kernel/random/boot_id || exit 91
file=$folder/$key-$boot.hold
case $verb in
  probe)
    for tool in psql timeout setsid; do
      command -v $tool >/dev/null 2>&1 || { echo "$tool is needed there" >&2; exit 95; }
    done
    console 'SHOW VERSION' >/dev/null || exit 95 ;;
  held)
    [ ! -e "$file" ] || echo held ;;
  let-go)
    rm -f -- "$file" || exit 91 ;;
  start)
    IFS=' .' read -r now rest </proc/uptime || exit 91
    printf '%s\n' "$gen" >"$file.new" && mv -f -- "$file.new" "$file" || exit 91
    end=$((now + seconds))
    export file gen end to port user os_user uid database
    setsid sh -c '
      echo started >"$file.$gen" || exit 91
      console() {
        set -- timeout 5 psql -X -w -At -h "$to" -p "$port" -U "$user" -d pgbouncer -c "$1"
        if [ "$uid" = 0 ] && [ "$os_user" != - ]; then
          set -- runuser -u "$os_user" -- "$@"
        fi
        PGCONNECT_TIMEOUT=3 "$@" </dev/null 2>&1
      }
      is_ours() { { IFS= read -r is <"$file"; } 2>/dev/null && [ "$is" = "$gen" ]; }
      while :; do
        is_ours || exit 0
        IFS=" ." read -r now rest </proc/uptime
        [ "$now" -lt "$end" ] || break
        sleep 0.2 2>/dev/null || sleep 1
      done
      tries=0
      while is_ours; do
        said=$(console "RESUME $database")
        case $said in
          RESUME) what="reached its limit: resumed" ;;
          *" is not paused"*) what= ;;
          *) what="could not be ended: $said" ;;
        esac
        tries=$((tries + 1))
        case $what in
          could*) [ $tries -gt 30 ] || { sleep 1; continue; } ;;
          *) rm -f -- "$file" ;;
        esac
        [ -z "$what" ] || logger -p daemon.alert -t hitless -- "PAUSE $database $what" 2>/dev/null
        exit 0
      done
    ' </dev/null >/dev/null 2>&1 9>&- &
    tries=0
    until [ -e "$file.$gen" ]; do
      tries=$((tries + 1))
      [ $tries -le 100 ] || { echo 'the process that ends the PAUSE does not start' >&2; exit 91; }
      sleep 0.02 2>/dev/null || sleep 1
    done
    rm -f -- "$file.$gen" ;;
esac
exit 0
)sh";

struct Words {
  std::string to, port;
};

// psql takes the folder of a UNIX socket and the number in its name.
Result<Words> words_of(const SocketAddress& address) {
  if (!address.is_unix) return Words{address.host, std::to_string(address.port)};
  constexpr std::string_view middle = "/.s.PGSQL.";
  const std::size_t at = address.path.rfind(middle);
  if (at == std::string::npos || at == 0) {
    return fail(ErrorCode::invalid,
                "`" + escape_for_terminal(address.path) + "` is not a socket of PgBouncer", {},
                "write unix:/run/postgresql/.s.PGSQL.6432");
  }
  return Words{address.path.substr(0, at), address.path.substr(at + middle.size())};
}

Task<Result<std::string>> run(ports::Host* host, PauseHold hold, std::string verb,
                              std::int64_t seconds) {
  auto to = words_of(hold.address);
  if (!to) co_return tl::unexpected(to.error());
  const std::string key = sha256_hex(to_string(hold.address) + "|" + hold.database).substr(0, 20);
  const std::string os_user = hold.os_user.empty() ? nobody_else : hold.os_user;
  std::vector<std::string> args{verb,
                                key,
                                to->to,
                                to->port,
                                hold.user,
                                os_user,
                                console_name(hold.database),
                                std::to_string(seconds),
                                random_hex(6)};
  auto ran =
      co_await host->script(hold_script(), std::move(args), script_deadline_ms, host->sudo());
  if (!ran) {
    Error error = ran.error();
    if (error.where.empty()) error.where = host->name();
    co_return tl::unexpected(std::move(error));
  }
  if (ran->exit_code == 0) co_return std::string(trim(ran->out));
  const std::string said = escape_for_terminal(truncate_utf8(redact(trim(ran->err)), 300));
  co_return fail(ErrorCode::failed,
                 "a PAUSE could not be ended from there: " +
                     (said.empty() ? "exit " + std::to_string(ran->exit_code) : said),
                 host->name(), "see `resume_user` and `os_user` in docs/how-to-postgresql.md");
}

Task<Status> run_only(ports::Host* host, PauseHold hold, std::string verb, std::int64_t seconds) {
  auto done = co_await run(host, std::move(hold), std::move(verb), seconds);
  if (!done) co_return tl::unexpected(done.error());
  co_return Status{};
}

}  // namespace

const std::string& hold_script() {
  static const std::string script = std::string(ports::claim_functions) + script_text;
  return script;
}

Task<Status> can_hold(ports::Host* host, PauseHold hold) {
  co_return co_await run_only(host, std::move(hold), "probe", 0);
}
Task<Status> start_hold(ports::Host* host, PauseHold hold, DurationMs after_ms) {
  co_return co_await run_only(host, std::move(hold), "start",
                              std::max<DurationMs>(after_ms / 1000, 1));
}
Task<Result<bool>> is_held(ports::Host* host, PauseHold hold) {
  auto said = co_await run(host, std::move(hold), "held", 0);
  if (!said) co_return tl::unexpected(said.error());
  co_return *said == "held";
}
Task<Status> let_go(ports::Host* host, PauseHold hold) {
  co_return co_await run_only(host, std::move(hold), "let-go", 0);
}

}  // namespace hitless::traffic
