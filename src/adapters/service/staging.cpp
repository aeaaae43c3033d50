#include "adapters/service/staging.hpp"

#include <algorithm>

#include "adapters/service/evidence.hpp"
#include "adapters/service/scripts.hpp"
#include "adapters/service/ustar.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "confdiff/glob.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;

constexpr DurationMs kTestDeadlineMs = 40'000;  // the script itself ends the test after 20 s
constexpr int kStagingFailed = 95, kTimedOut = 124, kKilled = 137, kNotExecutable = 126,
              kNotFound = 127;

// $1 the folder to make, then the argv of the test; the files come as a tar archive on stdin. mkdir
// refuses a name that somebody else made. Links never replace what the archive brought.
constexpr const char* kStageScript = R"sh(
stage=$1; shift
umask 077
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
mkdir -m 700 -- "$stage" || exit 95
trap 'rm -rf -- "$stage"' EXIT
trap 'exit 95' HUP INT TERM PIPE
tar -x -o -f - -C "$stage" || exit 95
(
  cd "$stage" || exit 95
  find . -type d | while IFS= read -r dir; do
    real=${dir#.}
    set --
    for entry in "$real"/* "$real"/.[!.]*; do
      if [ -e "$entry" ] || [ -L "$entry" ]; then
        [ -e "$stage$entry" ] || set -- "$@" "$entry"
      fi
      [ $# -lt 500 ] || { ln -s -- "$@" "$stage$real/" || exit 95; set --; }
    done
    [ $# -eq 0 ] || ln -s -- "$@" "$stage$real/" || exit 95
  done
) || exit 95
timeout -k 2 20 "$@" </dev/null
)sh";

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// "[emerg] 812#812: text" → "[emerg] text"
std::string without_pid(const std::string& line) {
  const std::size_t level = line.find("] "), end = line.find(": ");
  if (level == std::string::npos || end == std::string::npos || end < level) return line;
  const std::string between = line.substr(level + 2, end - level - 2);
  const bool is_pid = between.find('#') != std::string::npos &&
                      between.find_first_not_of("0123456789#") == std::string::npos;
  return is_pid ? line.substr(0, level + 2) + line.substr(end + 2) : line;
}

// The first line with this mark, without what stands before it.
std::string line_with(const std::string& text, std::string_view mark) {
  for (const std::string& line : split(text, '\n')) {
    const std::size_t at = line.find(mark);
    if (at != std::string::npos) return without_pid(line.substr(at));
  }
  return {};
}

std::string nginx_warning(const std::string& text) {
  for (const std::string& line : split(text, '\n')) {
    const std::size_t at = line.find("[warn] ");
    // Only says that the test does not run as root.
    if (at != std::string::npos &&
        line.find("\"user\" directive makes sense only") == std::string::npos) {
      return without_pid(line.substr(at));
    }
  }
  return {};
}

// The files as they stand below the stage, and the argv with its placeholders filled.
ports::Files staged_files(const ConfigSet& set, const ports::Files& changed,
                          const std::string& stage, Dialect dialect) {
  std::set<std::string> changed_paths;
  for (const auto& [path, content] : changed) changed_paths.insert(path);
  ports::Files files = changed;
  for (const auto& [path, content] : set.files) {
    files.insert_or_assign(path, rewrite_config(dialect, content, stage, changed_paths));
  }
  return files;
}

// The first changed file of which the test says nothing: it is not included, and no text names it,
// as one names a certificate. A test that we know nothing of may look at whatever it likes.
std::string not_tested(const ConfigSet& set, const ports::Files& changed, Dialect dialect) {
  if (dialect == Dialect::plain) return {};
  for (const auto& [path, content] : changed) {
    const std::string name = confdiff::base_name(path);
    const bool named = std::any_of(set.files.begin(), set.files.end(), [&](const auto& file) {
      return file.second.find(name) != std::string::npos;
    });
    if (set.laid.count(path) == 0 && !named) return path;
  }
  return {};
}

}  // namespace

const char* stage_script() {
  return kStageScript;
}

std::optional<Check> refuse_unit_files(const ports::Files& changed) {
  for (const char* folder :
       {"/etc/systemd/system/", "/run/systemd/system/", "/usr/local/lib/systemd/system/",
        "/usr/lib/systemd/system/", "/lib/systemd/system/"}) {
    const auto found = changed.lower_bound(folder);
    if (found == changed.end() || !found->first.starts_with(folder)) continue;
    return check(kSyntaxCheck, CheckStatus::fail,
                 found->first +
                     " is a unit file: nothing here tells systemd to load it, so a "
                     "restart would go on with the old one",
                 "install it in another way, `systemctl daemon-reload`, then `hitless restart`");
  }
  return std::nullopt;
}

bool has_placeholder(const std::vector<std::string>& argv) {
  return std::any_of(argv.begin(), argv.end(), [](const std::string& arg) {
    return arg.find("{config}") != std::string::npos || arg.find("{dir}") != std::string::npos;
  });
}

Check judge_test_output(const StagedTest& test, const std::string& stage,
                        const ports::ExecResult& result) {
  std::string said = result.err + "\n" + result.out;
  if (!stage.empty()) said = replace_all(std::move(said), stage, "");
  switch (result.exit_code) {
    case 0:
      break;
    case kStagingFailed:
      return check(kSyntaxCheck, CheckStatus::unknown,
                   "a staged copy could not be made: " + last_lines(said, 2),
                   "free space in /tmp on the host; tar must be installed");
    case kTimedOut:
    case kKilled:
      return check(kSyntaxCheck, CheckStatus::unknown, test.title + " did not end within 20s",
                   "does it resolve names that do not answer?");
    case kNotExecutable:
    case kNotFound:
      return check(kSyntaxCheck, CheckStatus::fail,
                   test.title + " cannot be run: " + last_lines(said, 1),
                   "is it installed on this host, and in PATH?");
    default: {
      std::string reason =
          test.dialect == Dialect::nginx ? line_with(said, "[emerg]") : std::string();
      if (reason.empty()) reason = last_lines(said, 3);
      const bool rights = reason.find("Permission denied") != std::string::npos;
      return check(kSyntaxCheck, CheckStatus::fail, test.title + " → " + reason,
                   rights ? "the user that hitless logs in as may not: set sudo: true for this host"
                          : "correct the file; nothing was changed on the host");
    }
  }
  const std::string warning = test.dialect == Dialect::nginx ? nginx_warning(said) : std::string();
  if (!warning.empty())
    return check(kSyntaxCheck, CheckStatus::warn, test.title + " → OK, " + warning);
  return check(kSyntaxCheck, CheckStatus::pass, test.title + " → OK");
}

Task<Check> test_staged(ports::Host* host, ConfigTree* tree, StagedTest test,
                        ports::Files changed) {
  const auto unknown = [](const Error& error) { return unknown_check(kSyntaxCheck, error); };
  auto set = changed.empty() ? co_await tree->recent() : co_await tree->read(changed);
  if (!set) co_return unknown(set.error());
  if (!set->unreadable.empty()) {
    co_return check(
        kSyntaxCheck, CheckStatus::unknown, "cannot read " + set->unreadable.front(),
        "let the user that hitless logs in as read it, or set sudo: true for this host");
  }
  const std::string main = tree->roots().empty() ? std::string() : tree->roots().front();
  if (main.empty() || set->files.count(main) == 0) {
    co_return check(kSyntaxCheck, CheckStatus::fail, main + " does not exist",
                    "check the service's config files in the fleet file");
  }
  const std::string stage = "/tmp/hitless-stage-" + random_hex(12);
  auto archive = make_ustar(staged_files(*set, changed, stage, test.dialect));
  if (!archive) co_return unknown(archive.error());

  std::vector<std::string> argv{"sh", "-c", kStageScript, "hitless-stage", stage};
  for (const std::string& arg : test.argv) {
    argv.push_back(replace_all(replace_all(arg, "{config}", stage + main), "{dir}",
                               stage + confdiff::folder_of(main)));
  }
  if (test.own_pid_file && !set->has_pid) {
    argv.push_back("-g");
    argv.push_back("pid " + stage + "/hitless-test.pid;");
  }
  auto ran =
      co_await host->exec(std::move(argv), std::move(*archive), kTestDeadlineMs, host->sudo());
  if (!ran) co_return unknown(ran.error());
  Check judged = judge_test_output(test, stage, *ran);
  const std::string silent_about = not_tested(*set, changed, test.dialect);
  if (judged.status == CheckStatus::pass && !silent_about.empty()) {
    judged.status = CheckStatus::warn;
    judged.evidence += ", but it does not read " + silent_about + ", which is not tested";
    judged.help = "is that `dest` the path by which the configuration includes it?";
  }
  co_return judged;
}

Check no_test_command() {
  return check(kSyntaxCheck, CheckStatus::warn,
               "no test command is configured: files are not tested before they are installed",
               "set `test:` of the service, with {config} or {dir} where the staged copy goes");
}

Task<Check> test_command(ports::Host* host, ConfigTree* tree, std::vector<std::string> argv,
                         ports::Files changed) {
  const std::string title = confdiff::base_name(argv.front());
  if (has_placeholder(argv)) {
    co_return co_await test_staged(
        host, tree, StagedTest{std::move(argv), title, Dialect::plain, false}, std::move(changed));
  }
  if (!changed.empty()) {
    co_return check(
        kSyntaxCheck, CheckStatus::unknown,
        title + " can only test the files on disk, not the new ones",
        "put {config} (the staged main file) or {dir} (its folder) into `test:` of the service");
  }
  const auto ran = co_await host->exec(std::move(argv), {}, kTestDeadlineMs, host->sudo());
  if (!ran) co_return unknown_check(kSyntaxCheck, ran.error());
  co_return judge_test_output(StagedTest{{}, title, Dialect::plain, false}, std::string(), *ran);
}

}  // namespace hitless::service
