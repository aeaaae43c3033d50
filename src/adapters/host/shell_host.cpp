#include "adapters/host/shell_host.hpp"

#include <charconv>

#include "adapters/host/scripts.hpp"
#include "adapters/host/seal.hpp"
#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless::host {
namespace {

constexpr std::size_t max_exec_output_bytes = 1u << 20;
constexpr std::size_t small_output_bytes = 64u << 10;
constexpr DurationMs file_deadline_ms = 30'000;
constexpr DurationMs read_deadline_ms = 10'000;

std::string shown(std::string_view text) {
  return redact(escape_for_terminal(truncate_utf8(trim(text), 300)));
}

bool has_nul(const std::vector<std::string>& words) {
  return std::ranges::any_of(
      words, [](const std::string& word) { return word.find('\0') != std::string::npos; });
}

// sudo's own refusals are no results of the command.
bool is_sudo_refusal(const ports::ExecResult& result) {
  return result.exit_code == 1 && result.err.find("sudo: ") != std::string::npos &&
         (result.err.find("a password is required") != std::string::npos ||
          result.err.find("not allowed") != std::string::npos ||
          result.err.find("a terminal is required") != std::string::npos);
}

template <class Number>
bool parse_number(std::string_view text, Number* number) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && at == text.data() + text.size() && !text.empty();
}

}  // namespace

ShellHost::ShellHost(SessionSettings settings, std::vector<std::string> plain_argv,
                     std::string address, bool sudo)
    : name_(settings.name),
      address_(std::move(address)),
      sudo_(sudo),
      may_be_root_(sudo && plain_argv != settings.argv),
      plain_settings_(settings),
      session_(std::move(settings)) {
  plain_settings_.argv = std::move(plain_argv);
  plain_settings_.kept_argv.clear();
}

tl::unexpected<Error> ShellHost::refuse(std::string what, std::string help) const {
  return fail(ErrorCode::invalid, std::move(what), name_, std::move(help));
}

Task<Result<bool>> ShellHost::needs_sudo(bool privileged) {
  if (!privileged || !may_be_root_) co_return privileged&& sudo_;
  const auto root = co_await session_.is_root();
  if (!root) co_return tl::unexpected(root.error());
  co_return !*root;
}

Task<Result<std::string>> ShellHost::sudo_words() {
  const auto needed = co_await needs_sudo(true);
  if (!needed) co_return tl::unexpected(needed.error());
  co_return std::string(*needed ? "sudo -n --" : "");
}

Task<Result<ShellSession*>> ShellHost::session_for(bool privileged) {
  if (privileged || !may_be_root_) co_return &session_;
  const auto root = co_await session_.is_root();
  if (!root) co_return tl::unexpected(root.error());
  if (!*root) co_return &session_;
  if (!plain_) plain_ = std::make_unique<ShellSession>(plain_settings_);
  co_return plain_.get();
}

Task<Result<ports::ExecResult>> ShellHost::exec(std::vector<std::string> argv, std::string input,
                                                DurationMs deadline_ms, bool privileged) {
  if (argv.empty() || argv[0].empty() || argv[0][0] == '-' || has_nul(argv)) {
    co_return refuse("not a command: it is empty, starts with '-' or has a NUL byte");
  }
  const auto with_sudo = co_await needs_sudo(privileged);
  if (!with_sudo) co_return tl::unexpected(with_sudo.error());
  const auto session = co_await session_for(privileged);
  if (!session) co_return tl::unexpected(session.error());
  if (*with_sudo) {
    argv = seal_argv(std::move(argv));
    argv.insert(argv.begin(), {"sudo", "-n", "--"});
  }
  SessionCommand command;
  command.body = quote_for_sh(argv);
  command.input = std::move(input);
  command.deadline_ms = deadline_ms;
  command.max_output_bytes = max_exec_output_bytes;
  auto result = co_await (*session)->run(std::move(command));
  if (result && *with_sudo && is_sudo_refusal(*result)) {
    co_return fail(ErrorCode::refused, "sudo says no: " + shown(result->err), name_,
                   "install the lines of `hitless doctor --sudoers` there");
  }
  co_return result;
}

Task<Result<ports::ExecResult>> ShellHost::run_script(std::string sh, std::vector<std::string> args,
                                                      std::string input, DurationMs deadline_ms,
                                                      std::size_t max_output_bytes) {
  if (has_nul(args)) co_return refuse("an argument has a NUL byte");
  SessionCommand command;
  // In the session's own subshell: no second sh is started. eval keeps a syntax error in there too.
  command.body = "set --";
  for (const auto& arg : args) command.body += " " + quote_for_sh(arg);
  command.body += "; eval " + quote_for_sh(sh);
  command.input = std::move(input);
  command.deadline_ms = deadline_ms;
  command.max_output_bytes = max_output_bytes;
  co_return co_await session_.run(std::move(command));
}

Task<Result<ports::ExecResult>> ShellHost::script(std::string sh, std::vector<std::string> args,
                                                  DurationMs deadline_ms, bool privileged) {
  const auto with_sudo = co_await needs_sudo(privileged);
  if (!with_sudo) co_return tl::unexpected(with_sudo.error());
  if (*with_sudo) {
    std::vector<std::string> argv = {"sh", "-c", std::move(sh), "sh"};
    argv.insert(argv.end(), args.begin(), args.end());
    co_return co_await exec(std::move(argv), {}, deadline_ms, true);
  }
  // Ours, and it only reads: it needs no other user's shell when ours is root's.
  co_return co_await run_script(std::move(sh), std::move(args), {}, deadline_ms,
                                max_exec_output_bytes);
}

Task<Result<std::string>> ShellHost::read_file(std::string path, std::int64_t max_bytes) {
  const auto checked = check_absolute_path(path);
  if (!checked) co_return tl::unexpected(checked.error());
  if (max_bytes < 0) co_return refuse("a negative size");
  const auto limit = static_cast<std::size_t>(max_bytes);
  const auto sudo = co_await sudo_words();
  if (!sudo) co_return tl::unexpected(sudo.error());
  std::vector<std::string> args = {*sudo, path, std::to_string(limit + 1)};
  auto result = co_await run_script(read_script, std::move(args), {}, file_deadline_ms, limit + 1);
  if (!result) co_return tl::unexpected(result.error());
  if (result->exit_code != 0) {
    const bool missing = result->err.find("No such file or directory") != std::string::npos;
    co_return fail(missing ? ErrorCode::not_found : ErrorCode::failed,
                   missing ? "there is no " + shown(path)
                           : fmt::format("cannot read {}: {}", shown(path), shown(result->err)),
                   name_);
  }
  if (result->out.size() > limit) {
    co_return fail(ErrorCode::refused,
                   fmt::format("{} is larger than {} bytes", shown(path), limit), name_);
  }
  co_return std::move(result->out);
}

Task<Result<ports::FileStat>> ShellHost::stat(std::string path) {
  const auto checked = check_absolute_path(path);
  if (!checked) co_return tl::unexpected(checked.error());
  const auto sudo = co_await sudo_words();
  if (!sudo) co_return tl::unexpected(sudo.error());
  std::vector<std::string> args = {*sudo, path};
  const auto result =
      co_await run_script(stat_script, std::move(args), {}, read_deadline_ms, small_output_bytes);
  if (!result) co_return tl::unexpected(result.error());
  ports::FileStat found;
  if (result->exit_code != 0) {
    if (result->err.find("No such file or directory") != std::string::npos) co_return found;
    co_return fail(ErrorCode::failed,
                   fmt::format("cannot look at {}: {}", shown(path), shown(result->err)), name_);
  }
  const auto fields = split(trim(result->out), '|');
  if (fields.size() != 5 || !parse_number(fields[1], &found.size)) {
    co_return fail(ErrorCode::failed, "stat gave an unexpected answer: " + shown(result->out),
                   name_);
  }
  found.exists = true;
  found.is_regular = fields[0].starts_with("regular");
  found.mode = "0" + fields[2];
  found.owner = fields[3];
  found.group = fields[4];
  co_return found;
}

Task<Status> ShellHost::put_atomic(std::string path, std::string content, std::string mode_if_new,
                                   std::string like_if_new) {
  auto checked = check_absolute_path(path);
  if (checked && !like_if_new.empty()) checked = check_absolute_path(like_if_new);
  if (!checked) co_return checked;
  const bool octal = mode_if_new.find_first_not_of("01234567") == std::string::npos;
  if (!octal || mode_if_new.size() < 3 || mode_if_new.size() > 4) {
    co_return refuse("not a file mode: " + shown(mode_if_new));
  }
  const std::size_t slash = path.rfind('/');
  // A random name of its own, beside the target, so that two writers never share one.
  const std::string temp = path.substr(0, slash + 1) + ".hitless-" + random_hex(8);
  const auto sudo = co_await sudo_words();
  if (!sudo) co_return tl::unexpected(sudo.error());
  std::vector<std::string> args = {*sudo,       path,       temp, sha256_hex(content),
                                   mode_if_new, like_if_new};
  const auto result = co_await run_script(put_script, std::move(args), std::move(content),
                                          file_deadline_ms, small_output_bytes);
  if (!result) co_return tl::unexpected(result.error());
  switch (result->exit_code) {
    case 0:
      co_return Status{};
    case put_not_regular:
      co_return fail(ErrorCode::refused, shown(path) + " is not a regular file (a symlink?)", name_,
                     "name the file itself");
    case put_read_back_differs:
      co_return fail(ErrorCode::failed,
                     shown(path) + " does not hold what was written to it: " + shown(result->err),
                     name_, "somebody else may write to it");
    default:
      co_return fail(ErrorCode::failed,
                     fmt::format("cannot write {}: {}", shown(path), shown(result->err)), name_,
                     "nothing was replaced; check permissions and free space");
  }
}

Task<Result<std::string>> ShellHost::boot_id() {
  const auto result =
      co_await run_script("IFS= read -r id </proc/sys/kernel/random/boot_id && echo \"$id\"", {},
                          {}, read_deadline_ms, small_output_bytes);
  if (!result) co_return tl::unexpected(result.error());
  const std::string id(trim(result->out));
  if (result->exit_code != 0 || id.size() != 36 ||
      id.find_first_not_of("0123456789abcdef-") != std::string::npos) {
    co_return fail(ErrorCode::failed, "cannot read the boot id: " + shown(result->err), name_);
  }
  co_return id;
}

Task<Result<std::int64_t>> ShellHost::connections_on(int port) {
  if (port < 1 || port > 65535) co_return refuse(fmt::format("{} is not a port", port));
  std::vector<std::string> args = {std::to_string(port), fmt::format("{:04X}", port)};
  const auto result = co_await run_script(connections_script, std::move(args), {}, read_deadline_ms,
                                          small_output_bytes);
  if (!result) co_return tl::unexpected(result.error());
  std::int64_t count = -1;
  if (result->exit_code != 0 || !parse_number(trim(result->out), &count) || count < 0) {
    co_return fail(ErrorCode::failed, "cannot count connections: " + shown(result->err), name_,
                   "ss (iproute2) or a readable /proc/net/tcp is needed there");
  }
  co_return count;
}

Task<Result<std::vector<std::string>>> ShellHost::peers_on(int port) {
  if (port < 1 || port > 65535) co_return refuse(fmt::format("{} is not a port", port));
  std::vector<std::string> args = {std::to_string(port), fmt::format("{:04X}", port)};
  const auto result =
      co_await run_script(peers_script, std::move(args), {}, read_deadline_ms, small_output_bytes);
  if (!result) co_return tl::unexpected(result.error());
  if (result->exit_code != 0 || result->truncated)
    co_return fail(ErrorCode::failed, "cannot list connections: " + shown(result->err), name_);
  std::vector<std::string> peers;
  for (std::string& line : split(result->out, '\n')) {
    if (!line.empty()) peers.push_back(std::move(line));
  }
  co_return peers;
}

}  // namespace hitless::host
