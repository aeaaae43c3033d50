#include "adapters/traffic/node_file.hpp"

#include "adapters/traffic/node_http.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::traffic {
namespace {

constexpr DurationMs kReadMs = 2'500, kSwapMs = 10'000;
constexpr int kChanged = 81;
constexpr std::size_t kShaBytes = 64;

// look FILE: its hash on the first line, then its text. swap FILE SHA NEW_SHA: the new text comes
// on stdin, and is cut off where a connection breaks. A text that changes between the two has
// another hash, so that a swap with it is refused.
constexpr const char* kScript = R"sh(
sha_of() { sha256sum <"$1" | cut -c1-64; }
[ -f "$2" ] && [ -r "$2" ] || { echo "$2 is no file that can be read" >&2; exit 84; }
case $1 in
look) sha_of "$2"; cat -- "$2" || exit 84 ;;
swap)
  f=$(readlink -f -- "$2") && d=${f%/*} || exit 84
  command -v flock >/dev/null && { exec 9<"$d" && flock -w 5 9 || exit 85; }
  new=$(mktemp "$d/.hitless-new.XXXXXX") || exit 84
  trap 'rm -f -- "$new"' EXIT
  cp -p -- "$f" "$new" && cat >"$new" || exit 84
  [ "$(sha_of "$new")" = "$4" ] || { echo 'what arrived is not what was sent' >&2; exit 84; }
  [ "$(sha_of "$f")" = "$3" ] || exit 81
  sync -- "$new"; mv -f -- "$new" "$f" || exit 84
  ;;
esac
)sh";

tl::unexpected<Error> no_file(const std::string& path, const ports::ExecResult& ran) {
  return fail(ErrorCode::failed,
              escape_for_terminal(path) + ": " +
                  (ran.truncated ? std::string("it is too long") : shown(ran.err)),
              {}, "see the file and its folder on that host");
}

}  // namespace

Task<Result<NodeFile>> read_node_file(ports::Host* host, std::string path) {
  auto ran = co_await host->script(kScript, {"look", path}, kReadMs, true);
  if (!ran) co_return tl::unexpected(ran.error());
  if (ran->exit_code != 0 || ran->truncated || ran->out.size() <= kShaBytes ||
      ran->out[kShaBytes] != '\n')
    co_return no_file(path, *ran);
  co_return NodeFile{ran->out.substr(kShaBytes + 1), ran->out.substr(0, kShaBytes)};
}

Task<Result<bool>> swap_node_file(ports::Host* host, std::string path, std::string sha,
                                  std::string text) {
  std::vector<std::string> argv = {"sh",   "-c", kScript,        "sh",
                                   "swap", path, std::move(sha), sha256_hex(text)};
  auto ran = co_await host->exec(std::move(argv), std::move(text), kSwapMs, true);
  if (!ran) co_return tl::unexpected(ran.error());
  if (ran->exit_code == kChanged) co_return false;
  if (ran->exit_code != 0) co_return no_file(path, *ran);
  co_return true;
}

ports::PrivilegedCommands node_file_commands(const std::string& path) {
  using ports::CommandWord;
  ports::PrivilegedCommands all;
  const ports::CommandWords start = {{"sh"}, {"-c"}, {kScript}, {"sh"}};
  ports::CommandWords look = start, swap = start;
  look.insert(look.end(), {{"look"}, {path}});
  const CommandWord hash = CommandWord::pattern("[0-9a-f]{64}");
  swap.insert(swap.end(), {{"swap"}, {path}, hash, hash});
  all.commands = {std::move(look), std::move(swap)};
  return all;
}

}  // namespace hitless::traffic
