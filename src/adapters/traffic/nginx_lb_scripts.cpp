#include "adapters/traffic/nginx_lb_scripts.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "base/text.hpp"

namespace hitless::traffic {

// It is run many times in a drain, so it starts few programs. A tick is 1/100 s on every Linux.
// Times: `date` before and after reading the uptime, so that the error is known and not guessed.
// The master's own name and ours must agree, or a stale pid file would have us signal a stranger.
static constexpr const char* kNginxLbScript = R"sh(
verb=$1; shift
start_of() {
  start=; { read -r s <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -- ${s##*) }; start=${20}
}
name_of() { name=; { read -r name <"/proc/$1/cmdline"; } 2>/dev/null; }
master_of() {
  m=; { read -r m <"$1"; } 2>/dev/null
  case $m in ''|*[!0-9]*) echo "no pid in $1" >&2; return 1;; esac
  name_of "$m"
  case $name in 'nginx: master '*) ;; *) echo "process $m of $1 is no nginx" >&2; return 1;; esac
}
sha_of() { sha256sum <"$1" | cut -c1-64; }
# A connection that breaks looks like the end of the text.
whole() { [ "$(sha_of "$1")" = "$2" ] || { echo 'what arrived is not what was sent' >&2; exit 84; }; }
case $verb in
look)
  master_of "$2" || exit 83
  start_of "$m"; echo "master $m $start"
  kids=; { read -r kids <"/proc/$m/task/$m/children"; } 2>/dev/null
  for w in $kids; do
    name_of "$w"; start_of "$w" || continue
    case $name in
      'nginx: worker process is shutting down'*) echo "worker $w $start old" ;;
      'nginx: worker process'*) echo "worker $w $start new" ;;
    esac
  done
  a=$(date +%s.%N); read -r up _ </proc/uptime; b=$(date +%s.%N)
  echo "clock $a $up $b"
  echo "log $(stat -L -c %s -- "$3" 2>/dev/null || echo -1)"
  tables=/proc/net/tcp; [ -r /proc/net/tcp6 ] && tables="$tables /proc/net/tcp6"
  awk -v peers="$4" '($4 == "01" || $4 == "02") { count[$3]++ }
    END { n = split(peers, p, " ")
      for (i = 1; i <= n; i++) { if (p[i] == "-") { print "sockets -1"; continue }
        split(p[i], a, "|"); print "sockets " (count[a[1]] + count[a[2]])
      } }' $tables
  # The hash is compared with that of the text: one that changes meanwhile is not believed.
  t=$(stat -L -c %.9Y -- "$1") || exit 84
  s=$(sha_of "$1")
  echo "file $t $s"
  cat -- "$1" || exit 84
  ;;
pending)
  master_of "$3" || exit 83
  "$1" -T -c "$2" 2>/dev/null | sed -n 's/^# configuration file \(.*\):$/f \1/p
    s/^[[:space:]]*worker_shutdown_timeout[[:space:]]*\([0-9a-zA-Z]*\)[[:space:]]*;.*$/t \1/p' |
    while read -r kind f; do
      if [ "$kind" = t ]; then echo "timeout $f"; else echo "$(stat -L -c %.9Y -- "$f") $f"; fi
    done
  ;;
apply)
  f=$(readlink -f -- "$1") && d=${f%/*} || exit 84
  command -v flock >/dev/null && { exec 9<"$d" && flock -w 5 9 || exit 85; }
  new=$(mktemp "$d/.hitless-new.XXXXXX") && old=$(mktemp "$d/.hitless-old.XXXXXX") || exit 84
  trap 'rm -f -- "$new" "$old"' EXIT
  cp -p -- "$f" "$new" && cp -p -- "$f" "$old" && cat >"$new" || exit 84
  whole "$new" "$6"
  [ "$(sha_of "$f")" = "$2" ] || exit 81
  sync -- "$new"; mv -f -- "$new" "$f" || exit 84
  if ! out=$("$3" -t -c "$4" 2>&1); then
    mv -f -- "$old" "$f"; printf '%s\n' "$out" >&2; exit 82
  fi
  master_of "$5" || exit 83
  # Then no doubt is left which came first, though clocks are read slowly on a busy machine.
  touch -- "$f"; sleep 0.25 2>/dev/null || sleep 1
  kill -HUP "$m"
  ;;
undo)
  f=$(readlink -f -- "$1") && d=${f%/*} || exit 84
  command -v flock >/dev/null && { exec 9<"$d" && flock -w 5 9 || exit 85; }
  new=$(mktemp "$d/.hitless-new.XXXXXX") || exit 84
  trap 'rm -f -- "$new"' EXIT
  cp -p -- "$f" "$new" && cat >"$new" && touch -d "@$3" -- "$new" || exit 84
  whole "$new" "$4"
  [ "$(sha_of "$f")" = "$2" ] || exit 81
  mv -f -- "$new" "$f" || exit 84
  ;;
tail) tail -c "+$(($2 + 1))" -- "$1" | tail -n 20 ;;
esac
)sh";

const std::string& nginx_lb_script() {
  static const std::string script = kNginxLbScript;
  return script;
}

namespace {

constexpr double kTicksPerSecond = 100;

template <class Number>
bool number(std::string_view text, Number& value) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && at == text.data() + text.size();
}

bool seconds(const std::string& text, double& value) {
  char* end = nullptr;
  value = std::strtod(text.c_str(), &end);
  return end != text.c_str() && *end == '\0' && value > 0;
}

bool read_line(const std::vector<std::string>& words, NginxLbView& view) {
  const std::string& what = words[0];
  if (what == "master" && words.size() == 3)
    return number(words[1], view.master) && number(words[2], view.master_start);
  if (what == "worker" && words.size() == 4) {
    NginxWorker worker;
    worker.old = words[3] == "old";
    view.workers.push_back(worker);
    return number(words[1], view.workers.back().pid) &&
           number(words[2], view.workers.back().start_ticks);
  }
  if (what == "clock" && words.size() == 4)
    return seconds(words[1], view.wall_before) && seconds(words[2], view.uptime) &&
           seconds(words[3], view.wall_after);
  if (what == "log" && words.size() == 2) return number(words[1], view.log_size);
  if (what == "sockets" && words.size() == 2) {
    view.sockets.push_back(-1);
    return number(words[1], view.sockets.back());
  }
  if (what == "file" && words.size() == 3) {
    view.sha = words[2];
    return seconds(words[1], view.mtime) && view.sha.size() == 64;
  }
  return false;
}

}  // namespace

Result<NginxLbView> parse_nginx_look(std::string_view out) {
  constexpr std::size_t kMaxLines = 10'000;  // workers and peers
  NginxLbView view;
  std::size_t at = 0;
  for (std::size_t lines = 0; lines < kMaxLines; ++lines) {
    const std::size_t end = out.find('\n', at);
    if (end == std::string_view::npos) break;
    const std::string line(out.substr(at, end - at));
    at = end + 1;
    if (!read_line(split(line, ' '), view))
      return fail(ErrorCode::failed,
                  "cannot make sense of `" + escape_for_terminal(truncate_utf8(line, 80)) + "`");
    if (!line.starts_with("file ")) continue;
    view.text = out.substr(at);
    if (view.workers.empty()) return fail(ErrorCode::failed, "nginx has no workers");
    return view;
  }
  return fail(ErrorCode::failed, "its state came back incomplete");
}

Loaded loaded_since(const NginxLbView& view, double mtime) {
  Loaded all = Loaded::yes;
  for (const NginxWorker& worker : view.workers) {
    if (worker.old) continue;
    const double since_boot = static_cast<double>(worker.start_ticks) / kTicksPerSecond;
    // Ticks and uptime are cut to hundredths.
    const double earliest = view.wall_before - view.uptime + since_boot - 0.01;
    const double latest = view.wall_after - view.uptime + since_boot + 0.02;
    if (latest < mtime) return Loaded::no;
    if (earliest < mtime) all = Loaded::unsure;
  }
  return all;
}

namespace {

std::string hex_of(const unsigned char* bytes, std::size_t size) {
  std::string out;  // 32-bit groups in the host's byte order, as the kernel prints them
  for (std::size_t i = 0; i + 4 <= size; i += 4) {
    std::uint32_t group = 0;
    std::memcpy(&group, bytes + i, sizeof group);
    out += fmt::format("{:08X}", group);
  }
  return out;
}

}  // namespace

std::string socket_pattern(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 80;  // nginx's default
  std::string host(address);
  const bool bracketed = host.starts_with('[') && address.find(']') != std::string_view::npos;
  if (colon != std::string_view::npos && (!bracketed || address[colon - 1] == ']')) {
    if (!number(address.substr(colon + 1), port)) return {};
    host = address.substr(0, colon);
  }
  if (bracketed) host = host.substr(1, host.find(']') - 1);
  std::array<unsigned char, 16> bytes{};
  const std::string at = fmt::format(":{:04X}", port);
  if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) {
    const std::string four = hex_of(bytes.data(), 4);
    std::array<unsigned char, 4> mapped{0, 0, 0xff, 0xff};
    return four + at + "|" + hex_of(std::array<unsigned char, 8>{}.data(), 8) +
           hex_of(mapped.data(), 4) + four + at;
  }
  if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1)
    return hex_of(bytes.data(), 16) + at + "|-";
  return {};
}

}  // namespace hitless::traffic
