// Host::run_operation: what changes a host runs there on its own, under an id. The id is the unit's
// or the folder's name, so a second start of the same id finds the first. The record of its end
// stays until it has been received here; only then is it collected.
#include <charconv>
#include <chrono>

#include "adapters/host/operation_words.hpp"
#include "adapters/host/scripts.hpp"
#include "adapters/host/seal.hpp"
#include "adapters/host/shell_host.hpp"
#include "base/text.hpp"

namespace hitless::host {
namespace {

constexpr DurationMs ask_deadline_ms = 10'000;
constexpr DurationMs answer_margin_ms = 10'000;  // beyond the operation's own deadline
constexpr DurationMs max_backoff_ms = 5'000;
constexpr DurationMs max_deadline_ms = 24LL * 3600 * 1000;
constexpr std::size_t max_id_bytes = 120;
constexpr std::size_t max_answer_bytes = 1u << 20;
constexpr int exec_failed_status = 203;  // systemd's EXIT_EXEC

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool is_operation_id(std::string_view id) {
  return !id.empty() && id.size() <= max_id_bytes && id[0] != '.' && id[0] != '-' &&
         std::ranges::all_of(id, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

int number_or(std::string_view text, int otherwise) {
  int value = otherwise;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && at == text.data() + text.size() ? value : otherwise;
}

struct Answer {
  std::string head;  // up to the empty line
  ports::ExecResult result;
};

std::optional<Answer> take_apart(ports::ExecResult raw) {
  const std::size_t gap = raw.out.find("\n\n");
  if (gap == std::string::npos) return std::nullopt;
  Answer answer{raw.out.substr(0, gap), std::move(raw)};
  answer.result.out.erase(0, gap + 2);
  return answer;
}

std::string property(const std::string& head, std::string_view name) {
  for (const auto& line : split(head, '\n')) {
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == '=') {
      return line.substr(name.size() + 1);
    }
  }
  return {};
}

tl::unexpected<Error> killed_at_deadline(const ports::Operation& operation) {
  return fail(ErrorCode::timed_out,
              fmt::format("{} did not end within {} and was killed on the host",
                          escape_for_terminal(join(operation.argv, " ")),
                          format_duration(operation.deadline_ms)));
}

Result<ports::ExecResult> unit_outcome(Answer answer, const ports::Operation& operation) {
  const std::string result = property(answer.head, "Result");
  const int status = number_or(property(answer.head, "ExecMainStatus"), -1);
  if (result == "success" && property(answer.head, "ActiveState") == "active") {
    answer.result.exit_code = 0;
    return std::move(answer.result);
  }
  if (result == "timeout") return killed_at_deadline(operation);
  if (result == "exit-code" && status == exec_failed_status && answer.result.err.empty()) {
    return fail(ErrorCode::failed,
                "systemd could not execute " + escape_for_terminal(operation.argv[0]), {},
                "does it exist there, and is it executable?");
  }
  if ((result == "exit-code" || result == "signal" || result == "core-dump") && status > 0) {
    answer.result.exit_code = result == "exit-code" ? status : 128 + status;
    return std::move(answer.result);
  }
  return fail(ErrorCode::failed,
              "systemd reports Result=" + escape_for_terminal(result) + " for the operation", {},
              "see journalctl there");
}

Result<ports::ExecResult> detached_outcome(Answer answer, const ports::Operation& operation) {
  const auto fields = split(answer.head, ' ');
  const int code = number_or(fields[0], -1);
  const int seconds = fields.size() > 1 ? number_or(fields[1], 0) : 0;
  if (code < 0) return fail(ErrorCode::failed, "the record of the operation's end is garbled");
  // timeout(1) exits 124 (or 137 when it had to kill), but so may the command itself, sooner.
  const bool late = DurationMs{seconds} * 1000 + 1000 >= operation.deadline_ms;
  if ((code == 124 || code == 137) && late) return killed_at_deadline(operation);
  answer.result.exit_code = code;
  return std::move(answer.result);
}

}  // namespace

std::string escape_dollars(const std::string& word) {
  std::string escaped;
  for (const char c : word) {
    escaped += c;
    if (c == '$') escaped += c;
  }
  return escaped;
}

struct ShellHost::Tracked {
  ports::Operation operation;
  bool units = false;
  std::string boot_id;
  std::vector<std::string> start_args;
  bool may_have_started = false;
  bool started = false;
  std::string end_state;  // the unit's ActiveState
  std::string unit() const { return "hitless-op-" + operation.id; }
};

Task<Result<bool>> ShellHost::uses_units(bool privileged) {
  if (facts_.empty()) {
    const auto result = co_await run_script(
        "u=$(id -u) || exit 1; if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; "
        "then echo \"$u systemd\"; else echo \"$u none\"; fi",
        {}, {}, ask_deadline_ms, 1024);
    if (!result) co_return tl::unexpected(result.error());
    if (result->exit_code != 0) {
      co_return fail(ErrorCode::failed, "cannot find out who we are there", name_);
    }
    facts_ = trim(result->out);
  }
  const bool root = facts_.starts_with("0 ") || (privileged && sudo_);
  co_return root&& facts_.ends_with(" systemd");
}

// One step: starts it unless it was started, then waits for a slice. Errors are the connection's,
// or final ones with code failed.
Task<Result<ports::ExecResult>> ShellHost::start_or_ask(Tracked* tracked) {
  if (!tracked->started) {
    if (tracked->may_have_started) {
      const auto boot = co_await boot_id();
      if (!boot) co_return tl::unexpected(boot.error());
      if (*boot != tracked->boot_id) {
        ports::ExecResult gone;
        gone.exit_code = operation_gone;
        co_return gone;
      }
    }
    auto started = co_await run_script(tracked->units ? unit_start_script : detached_start_script,
                                       tracked->start_args, {}, ask_deadline_ms, max_answer_bytes);
    const bool sure = !started && (started.error().code == ErrorCode::unavailable ||
                                   started.error().code == ErrorCode::refused);
    if (!sure) tracked->may_have_started = true;
    if (!started) co_return tl::unexpected(started.error());
    if (started->exit_code != 0) {
      started->exit_code = operation_not_started;
      co_return started;
    }
    tracked->started = true;
  }
  std::vector<std::string> args = {tracked->units ? tracked->unit() : tracked->operation.id};
  co_return co_await run_script(tracked->units ? unit_wait_script : detached_wait_script,
                                std::move(args), {}, ask_deadline_ms, max_answer_bytes);
}

Task<void> ShellHost::collect(Tracked* tracked) {
  std::vector<std::string> args;
  if (tracked->units)
    args = {sudo_words(true), tracked->unit(), tracked->end_state};
  else
    args = {tracked->operation.id};
  // A record that stays behind does no harm; nobody asks for this id again.
  co_await run_script(tracked->units ? unit_collect_script : detached_collect_script,
                      std::move(args), {}, ask_deadline_ms, 4096);
}

Task<Result<ports::ExecResult>> ShellHost::run_operation(ports::Operation operation) {
  if (!is_operation_id(operation.id)) {
    co_return refuse("not an operation id: " + escape_for_terminal(operation.id));
  }
  const auto& argv = operation.argv;
  if (argv.empty() || argv[0].empty() || argv[0].find_first_of("-$") == 0 ||
      operation.deadline_ms < 1 || operation.deadline_ms > max_deadline_ms) {
    co_return refuse("an operation needs a command and a deadline of at most a day");
  }
  Tracked tracked;
  tracked.operation = operation;
  const auto units = co_await uses_units(operation.privileged);
  if (!units) co_return tl::unexpected(units.error());
  tracked.units = *units;
  const auto boot = co_await boot_id();
  if (!boot) co_return tl::unexpected(boot.error());
  tracked.boot_id = *boot;

  const bool with_sudo = operation.privileged && sudo_;
  const std::vector<std::string> words = with_sudo ? seal_argv(argv) : argv;
  const std::string seconds = std::to_string((operation.deadline_ms + 999) / 1000);
  if (tracked.units) {
    tracked.start_args = {sudo_words(true), tracked.unit(), seconds};
    for (const auto& word : words) tracked.start_args.push_back(escape_dollars(word));
  } else {
    tracked.start_args = {operation.id, seconds};
    if (with_sudo) {
      tracked.start_args.insert(tracked.start_args.end(), {"sudo", "-n", "--"});
    }
    tracked.start_args.insert(tracked.start_args.end(), words.begin(), words.end());
  }
  co_return co_await follow(std::move(tracked));
}

Task<Result<ports::ExecResult>> ShellHost::follow(Tracked tracked) {
  const std::int64_t give_up_ms = steady_ms() + tracked.operation.deadline_ms + answer_margin_ms;
  DurationMs backoff_ms = 250;
  std::string last_trouble = "it has not ended";
  while (steady_ms() < give_up_ms) {
    auto raw = co_await start_or_ask(&tracked);
    if (!raw) {
      const ErrorCode code = raw.error().code;
      const bool connection = code == ErrorCode::transport_lost || code == ErrorCode::timed_out ||
                              code == ErrorCode::unavailable || code == ErrorCode::refused;
      if (!connection || !tracked.may_have_started) co_return raw;
      last_trouble = raw.error().what;
      co_await sleep_for(std::min(backoff_ms, give_up_ms - steady_ms()));
      backoff_ms = std::min(backoff_ms * 2, max_backoff_ms);
      continue;
    }
    backoff_ms = 250;
    if (raw->exit_code == operation_running) continue;
    if (raw->exit_code == operation_not_started) {
      co_return fail(ErrorCode::failed,
                     "the operation could not be started: " +
                         redact(escape_for_terminal(truncate_utf8(trim(raw->err), 300))),
                     name_, sudo_ ? "check sudo there with `hitless doctor`" : "");
    }
    auto answer = raw->exit_code == 0 ? take_apart(std::move(*raw)) : std::nullopt;
    if (!answer) {
      co_return fail(ErrorCode::transport_lost,
                     "outcome unknown: there is no record of the operation's end", name_,
                     "was the host rebooted? Look at the service before going on");
    }
    tracked.end_state = property(answer->head, "ActiveState");
    auto outcome = tracked.units ? unit_outcome(std::move(*answer), tracked.operation)
                                 : detached_outcome(std::move(*answer), tracked.operation);
    co_await collect(&tracked);
    if (!outcome && outcome.error().where.empty()) outcome.error().where = name_;
    co_return outcome;
  }
  co_return fail(ErrorCode::transport_lost, "outcome unknown: " + last_trouble, name_,
                 "the operation may still run there; ask again or look at the host");
}

}  // namespace hitless::host
