#include "adapters/service/config_files.hpp"

#include <algorithm>

#include "adapters/service/evidence.hpp"
#include "base/digest.hpp"
#include "base/names.hpp"
#include "confdiff/glob.hpp"

namespace hitless::service {
namespace {

constexpr DurationMs kFolderDeadlineMs = 10'000;

// A link of that name could lead the backup elsewhere.
constexpr const char* kFolderScript = R"sh(
if [ -L "$1" ]; then echo "$1 is a link" >&2; exit 1; fi
[ -d "$1" ] || mkdir -m 700 -- "$1"
)sh";

bool swallowed(const std::string& path, const std::vector<std::string>& globs) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return confdiff::glob_match(glob, path); });
}

// ok with true: it is there with this content. ok with false: nothing is there.
Task<Result<bool>> holds(ports::Host* host, std::string path, std::string content) {
  const auto there = co_await host->stat(path);
  if (!there) co_return tl::unexpected<Error>(there.error());
  if (!there->exists) co_return false;
  const auto found = co_await host->read_file(path);
  if (!found) co_return tl::unexpected<Error>(found.error());
  if (sha256_hex(*found) != sha256_hex(content)) {
    co_return fail(ErrorCode::refused, path + " exists with other content", host->name(),
                   "move it away; a backup is never overwritten");
  }
  co_return true;
}

}  // namespace

Task<Result<std::string>> back_up(ports::Host& host_ref, std::string path, std::string rollout,
                                  TimeMs now, std::vector<std::string> avoid_globs) {
  ports::Host* host = &host_ref;
  if (auto fine = check_absolute_path(path); !fine) co_return tl::unexpected<Error>(fine.error());
  if (auto fine = check_identifier(rollout); !fine) co_return tl::unexpected<Error>(fine.error());
  const auto original = co_await host->stat(path);
  if (!original) co_return tl::unexpected<Error>(original.error());
  if (!original->exists) co_return std::string();
  const auto content = co_await host->read_file(path);
  if (!content) co_return tl::unexpected<Error>(content.error());

  std::string name = path + ".backup-" + format_day(now);
  if (swallowed(name, avoid_globs)) {
    const std::string folder = confdiff::folder_of(path) + "/.hitless-backup";
    const auto made =
        co_await host->script(kFolderScript, {folder}, kFolderDeadlineMs, host->sudo());
    if (!made) co_return tl::unexpected<Error>(made.error());
    if (made->exit_code != 0)
      co_return fail(ErrorCode::failed, "cannot make " + folder + ": " + describe_exit(*made),
                     host->name());
    name = folder + "/" + confdiff::base_name(name);
    if (swallowed(name, avoid_globs)) {
      co_return fail(ErrorCode::refused,
                     "every place for a backup of " + path + " is included by the configuration",
                     host->name());
    }
  }
  auto there = co_await holds(host, name, *content);
  if (!there && there.error().code == ErrorCode::refused) {
    name += "-" + rollout;
    there = co_await holds(host, name, *content);
  }
  if (!there) co_return tl::unexpected<Error>(there.error());
  if (*there) co_return name;
  const auto put =
      co_await host->put_atomic(name, *content, original->mode.empty() ? "0600" : original->mode);
  if (!put) co_return tl::unexpected<Error>(put.error());
  there = co_await holds(host, name, *content);
  if (!there) co_return tl::unexpected<Error>(there.error());
  if (!*there)
    co_return fail(ErrorCode::failed, name + " was written but is not there", host->name());
  co_return name;
}

Task<Result<ports::Files>> read_all(ports::Host& host_ref, std::vector<std::string> paths) {
  ports::Host* host = &host_ref;
  ports::Files files;
  for (const std::string& path : paths) {
    auto content = co_await host->read_file(path);
    if (!content) co_return tl::unexpected<Error>(std::move(content.error()));
    files.insert_or_assign(path, std::move(*content));
  }
  co_return files;
}

}  // namespace hitless::service
