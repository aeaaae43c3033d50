#include "adapters/service/config_tree.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "adapters/service/evidence.hpp"
#include "adapters/service/scripts.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "confdiff/config_diff.hpp"
#include "confdiff/glob.hpp"

namespace hitless::service {
namespace {

constexpr DurationMs kReadDeadlineMs = 15'000;
constexpr DurationMs kRecentMs = 2'000;

// $1 1: with contents; then patterns. "F <base64> <path>", "T <target of the link before>",
// (also where a folder on the way is the link), "U <path>" for a file that may not be read. Names
// with line breaks are not configuration.
constexpr const char* kReadScript = R"sh(
LC_ALL=C; export LC_ALL
contents=$1; shift
IFS=
last= real=
newline='
'
for pattern in "$@"; do
  for file in $pattern; do
    [ -f "$file" ] || continue
    case $file in *"$newline"*) continue;; esac
    if [ ! -r "$file" ]; then printf 'U %s\n' "$file"; continue; fi
    printf 'F '
    [ "$contents" = 1 ] && base64 <"$file" | tr -d '\n'
    printf ' %s\n' "$file"
    dir=${file%/*}/
    [ "$dir" = "$last" ] || { last=$dir; real=$(cd -P -- "$dir" && pwd -P)/ || real=$dir; }
    if [ -L "$file" ]; then printf 'T %s\n' "$(readlink -f -- "$file")"
    elif [ "$dir" != "$real" ]; then printf 'T %s\n' "$real${file##*/}"; fi
  done
done
echo z
)sh";

std::optional<std::string> decode_base64(std::string_view text) {
  static const std::array<int, 256> values = [] {
    std::array<int, 256> table{};
    table.fill(-1);
    const std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i)
      table[static_cast<unsigned char>(alphabet[i])] = static_cast<int>(i);
    return table;
  }();
  std::string out;
  out.reserve(text.size() * 3 / 4);
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffffffu;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xffu);
    }
  }
  return out;
}

struct Fetched {
  std::string path, target, content;
  bool readable = true;
};

Result<std::vector<Fetched>> parse_fetched(const std::string& host, std::string_view out) {
  std::vector<Fetched> files;
  for (const std::string& line : split(out, '\n')) {
    if (line.size() < 3) continue;
    const std::string rest = line.substr(2);
    if (line[0] == 'U') {
      files.push_back({rest, {}, {}, false});
    } else if (line[0] == 'T' && !files.empty()) {
      files.back().target = rest;
    } else if (line[0] == 'F') {
      const std::size_t blank = rest.find(' ');
      if (blank == std::string::npos)
        return fail(ErrorCode::failed, "broken answer while reading files", host);
      auto content = decode_base64(std::string_view(rest).substr(0, blank));
      if (!content) return fail(ErrorCode::failed, "broken answer while reading files", host);
      files.push_back({rest.substr(blank + 1), {}, std::move(*content), true});
    }
    if (files.size() > kMaxConfigFiles) {
      return fail(ErrorCode::refused,
                  "the configuration has more than " + std::to_string(kMaxConfigFiles) + " files",
                  host);
    }
  }
  return files;
}

Task<Result<std::vector<Fetched>>> fetch(ports::Host* host, std::vector<std::string> patterns) {
  std::vector<std::string> args{"1"};
  args.insert(args.end(), patterns.begin(), patterns.end());
  auto ran = co_await host->script(kReadScript, args, kReadDeadlineMs, host->sudo());
  if (!ran) co_return tl::unexpected<Error>(std::move(ran.error()));
  const bool too_much = ran->truncated;
  if (too_much) {  // names alone, then file by file
    args[0] = "0";
    ran = co_await host->script(kReadScript, args, kReadDeadlineMs, host->sudo());
    if (!ran) co_return tl::unexpected<Error>(std::move(ran.error()));
  }
  const std::string_view out = trim(ran->out);
  if (ran->exit_code != 0 || ran->truncated || out.empty() || out.back() != 'z') {
    co_return fail(ErrorCode::failed, "cannot read the configuration: " + describe_exit(*ran),
                   host->name());
  }
  auto files = parse_fetched(host->name(), out);
  if (!files || !too_much) co_return files;
  std::size_t total = 0;
  for (Fetched& file : *files) {
    if (!file.readable) continue;
    auto content = co_await host->read_file(file.path);
    if (!content) co_return tl::unexpected<Error>(std::move(content.error()));
    file.content = std::move(*content);
    total += file.content.size();
    if (total > kMaxConfigBytes)
      co_return fail(ErrorCode::refused, "the configuration is larger than 16 MiB", host->name());
  }
  co_return files;
}

// Lays the changed files over what the patterns brought from the disk. A change may be given for
// the file itself or for what the link of that name points to.
void lay_over(std::vector<Fetched>& files, const std::vector<std::string>& patterns,
              const ports::Files& overlay, std::set<std::string>& laid) {
  std::set<std::string> seen;
  for (Fetched& file : files) {
    seen.insert(file.path);
    auto change = overlay.find(file.path);
    if (change == overlay.end() && !file.target.empty()) change = overlay.find(file.target);
    if (change == overlay.end()) continue;
    file.content = change->second;
    file.readable = true;
    laid.insert(change->first);
  }
  for (const auto& [path, content] : overlay) {
    if (seen.count(path) > 0) continue;
    const bool wanted =
        std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
          return pattern == path || confdiff::absolute_path(pattern, "/") == path ||
                 confdiff::glob_match(pattern, path);
        });
    if (!wanted) continue;
    files.push_back({path, {}, content, true});
    laid.insert(path);
  }
}

// "hash  path" lines, as sha256sum writes them.
bool is_listing_of(const std::string& listing, const ports::Files& files) {
  std::size_t lines = 0;
  for (const std::string& line : split(listing, '\n')) {
    if (line.empty()) continue;
    ++lines;
    constexpr std::size_t kHash = 64;
    const auto file = line.size() > kHash + 2 ? files.find(line.substr(kHash + 2)) : files.end();
    if (file == files.end() || sha256_hex(file->second) != line.substr(0, kHash)) return false;
  }
  return lines == files.size();
}

}  // namespace

const char* read_script() {
  return kReadScript;
}

Task<Result<ConfigSet>> ConfigTree::read(ports::Files overlay) {
  ConfigSet set;
  std::vector<std::string> wanted = roots_;
  std::string folder = roots_.empty() ? "/" : confdiff::folder_of(roots_.front());
  std::size_t total = 0;
  for (int depth = 0; !wanted.empty(); ++depth) {
    if (depth >= kMaxIncludeDepth) {
      co_return fail(ErrorCode::invalid,
                     "includes are nested more than " + std::to_string(kMaxIncludeDepth) + " deep",
                     host_->name());
    }
    auto fetched = co_await fetch(host_, wanted);
    if (!fetched) co_return tl::unexpected<Error>(std::move(fetched.error()));
    set.patterns.insert(set.patterns.end(), wanted.begin(), wanted.end());
    lay_over(*fetched, wanted, overlay, set.laid);
    wanted.clear();
    for (Fetched& file : *fetched) {
      if (!file.readable) {
        set.unreadable.push_back(file.path);
        continue;
      }
      total += file.content.size();
      if (total > kMaxConfigBytes || set.files.size() >= kMaxConfigFiles) {
        co_return fail(ErrorCode::refused, "the configuration is larger than 16 MiB or 2000 files",
                       host_->name());
      }
      const ConfigFacts facts = scan_config(dialect_, file.content, folder, prefix_);
      if (!roots_.empty() && file.path == roots_.front()) {
        set.error_log = facts.error_log;
        if (!facts.root.empty()) folder = facts.root;
      }
      set.has_pid = set.has_pid || facts.has_pid;
      for (const std::string& pattern : facts.includes) {
        const auto known = [&](const std::vector<std::string>& list) {
          return std::find(list.begin(), list.end(), pattern) != list.end();
        };
        if (!known(set.patterns) && !known(wanted)) wanted.push_back(pattern);
      }
      set.files.insert_or_assign(std::move(file.path), std::move(file.content));
    }
  }
  co_return set;
}

Task<Result<ports::Files>> ConfigTree::read_all(ports::Files overlay) {
  auto set = co_await read(std::move(overlay));
  if (!set) co_return tl::unexpected<Error>(std::move(set.error()));
  if (!set->unreadable.empty()) {
    co_return fail(ErrorCode::refused, "cannot read " + set->unreadable.front(), host_->name(),
                   "let the user that hitless logs in as read it, or set sudo: true for this host");
  }
  for (const std::string& root : roots_) {
    if (set->files.count(root) == 0) {
      co_return fail(ErrorCode::not_found, root + " does not exist", host_->name(),
                     "check the service's config files in the fleet file");
    }
  }
  co_return std::move(set->files);
}

Task<Result<ConfigSet>> ConfigTree::known() {
  if (!known_) {
    auto set = co_await read({});
    if (!set) co_return tl::unexpected<Error>(std::move(set.error()));
    keep(*set);
    set->files.clear();
    known_ = std::move(*set);
  }
  co_return *known_;
}

void ConfigTree::keep(const ConfigSet& set) {
  read_ = set;
  read_at_ = steady_now_ms();
}

Task<Result<ConfigSet>> ConfigTree::recent() {
  std::optional<ConfigSet> kept = std::exchange(read_, std::nullopt);
  if (kept && steady_now_ms() - read_at_ <= kRecentMs) co_return std::move(*kept);
  co_return co_await read({});
}

Task<Result<ConfigSet>> ConfigTree::read_for(const std::string& listing) {
  if (read_ && is_listing_of(listing, read_->files)) co_return *read_;
  auto set = co_await read({});
  if (set) keep(*set);
  co_return set;
}

Task<std::string> ConfigTree::digest(std::string listing) {
  if (listing.empty()) co_return std::string();
  if (listing == listing_) co_return digest_;
  auto set = co_await read_for(listing);
  if (!set || !set->unreadable.empty()) co_return std::string();
  digest_ = confdiff::config_digest(set->files);
  // Other includes than before: the listing was of too few or too many files, the next one will
  // tell.
  const bool same_set = known_ && known_->patterns == set->patterns;
  listing_ = same_set ? std::move(listing) : std::string();
  set->files.clear();
  known_ = std::move(*set);
  co_return digest_;
}

}  // namespace hitless::service
