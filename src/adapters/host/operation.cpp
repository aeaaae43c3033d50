// Host::run_operation: what changes a host runs there on its own, under an id. The id is the unit's
// or the folder's name, so a second start of the same id finds the first. The record of its end
// stays until it has been received here; only then is it collected.
#include <charconv>
#include <chrono>

#include "adapters/host/operation_words.hpp"
#include "adapters/host/scripts.hpp"
#include "adapters/host/seal.hpp"
#include "adapters/host/shell_host.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "ports/claim_files.hpp"

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

// One that somebody else started is known by its id only.
std::string title_of(const ports::Operation& operation) {
  return operation.argv.empty() ? "operation " + operation.id
                                : escape_for_terminal(join(operation.argv, " "));
}

tl::unexpected<Error> killed_at_deadline(const ports::Operation& operation) {
  return fail(ErrorCode::timed_out,
              title_of(operation) + " did not end within its deadline and was killed on the host");
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
    return fail(ErrorCode::failed, "systemd could not execute " + title_of(operation), {},
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
  const int limit = fields.size() > 2 ? number_or(fields[2], 0) : 0;
  if (code < 0) return fail(ErrorCode::failed, "the record of the operation's end is garbled");
  // timeout(1) exits 124 (or 137 when it had to kill), but so may the command itself, sooner.
  const bool late = limit > 0 && seconds + 1 >= limit;
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

std::vector<std::string> operation_start_words(bool unit) {
  return {"sh", "-c",
          std::string(ports::claim_functions) + (unit ? unit_start_script : detached_start_script),
          "sh"};
}
std::vector<std::string> operation_wait_words() {
  return {"sh", "-c", detached_wait_script, "sh"};
}
std::vector<std::string> operation_collect_words() {
  return {"sh", "-c", detached_collect_script, "sh"};
}

struct ShellHost::Tracked {
  ports::Operation operation;
  bool attached = false;  // somebody else started it
  bool units = false;
  bool with_sudo = false;
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
  // Where there is sudo the shell that was asked may be root's, and the operation another user's.
  const bool root = sudo_ ? privileged : facts_.starts_with("0 ");
  co_return root&& facts_.ends_with(" systemd");
}

Task<Result<ports::ExecResult>> ShellHost::run_for(const Tracked* tracked, std::string sh,
                                                   std::vector<std::string> args) {
  if (tracked->with_sudo)
    co_return co_await script(std::move(sh), std::move(args), ask_deadline_ms, true);
  co_return co_await run_script(std::move(sh), std::move(args), {}, ask_deadline_ms,
                                max_answer_bytes);
}

// Exit 0: it was started, now or by an earlier try.
Task<Result<ports::ExecResult>> ShellHost::start(Tracked* tracked) {
  if (tracked->may_have_started) {
    const auto boot = co_await boot_id();
    if (!boot) co_return tl::unexpected(boot.error());
    if (*boot != tracked->boot_id) {
      ports::ExecResult gone;
      gone.exit_code = operation_gone;
      co_return gone;
    }
  }
  auto started =
      co_await run_for(tracked, operation_start_words(tracked->units)[2], tracked->start_args);
  const bool sure = !started && (started.error().code == ErrorCode::unavailable ||
                                 started.error().code == ErrorCode::refused);
  const bool tried_before = tracked->may_have_started;
  if (!sure) tracked->may_have_started = true;
  if (!started) co_return tl::unexpected(started.error());
  // An earlier try may have come before the one who fences us now; that one starts nothing twice.
  if (started->exit_code == operation_fenced && tried_before) started->exit_code = 0;
  if (started->exit_code != 0 && started->exit_code != operation_fenced) {
    started->exit_code = operation_not_started;
  }
  tracked->started = started->exit_code == 0;
  co_return started;
}

// One step: starts it unless it was started, then waits for a slice. Errors are the connection's,
// or final ones with code failed.
Task<Result<ports::ExecResult>> ShellHost::start_or_ask(Tracked* tracked) {
  if (!tracked->started) {
    auto started = co_await start(tracked);
    if (!started || started->exit_code != 0) co_return started;
  }
  if (!tracked->units) {
    co_return co_await run_for(tracked, detached_wait_script, {tracked->operation.id});
  }
  co_return co_await run_script(unit_wait_script, {tracked->unit()}, {}, ask_deadline_ms,
                                max_answer_bytes);
}

Task<void> ShellHost::collect(Tracked* tracked) {
  // A record that stays behind does no harm; nobody asks for this id again.
  if (!tracked->units) {
    co_await run_for(tracked, detached_collect_script, {tracked->operation.id});
    co_return;
  }
  const auto sudo = co_await sudo_words();
  if (!sudo) co_return;
  co_await run_script(unit_collect_script, {*sudo, tracked->unit(), tracked->end_state}, {},
                      ask_deadline_ms, 4096);
}

Status ShellHost::check_operation(const ports::Operation& operation) const {
  if (!is_operation_id(operation.id)) {
    return refuse("not an operation id: " + escape_for_terminal(operation.id));
  }
  const auto& argv = operation.argv;
  if (argv.empty() || argv[0].empty() || argv[0].find_first_of("-$") == 0 ||
      operation.deadline_ms < 1 || operation.deadline_ms > max_deadline_ms) {
    return refuse("an operation needs a command and a deadline of at most a day");
  }
  // Its scripts would run in root's shell.
  if (may_be_root_ && !operation.privileged)
    return refuse("an operation is privileged on a host with sudo: true");
  const ports::Fence& fence = operation.fence;
  if (fence.service.empty()) return {};
  if (fence.port < 0 || fence.port > 65535 || fence.epoch < 1) {
    return refuse("a fence needs an epoch, and a port or 0");
  }
  // The claim is root's; as another user we would look at another one.
  if (sudo_ && !operation.privileged)
    return refuse("a fenced operation is privileged on this host");
  return check_identifier(fence.service);
}

Task<Result<ports::ExecResult>> ShellHost::run_operation(ports::Operation operation) {
  if (const auto ok = check_operation(operation); !ok) co_return tl::unexpected(ok.error());
  Tracked tracked;
  tracked.operation = operation;
  const auto units = co_await uses_units(operation.privileged);
  if (!units) co_return tl::unexpected(units.error());
  tracked.units = *units;
  tracked.with_sudo = operation.privileged && sudo_;
  const auto boot = co_await boot_id();
  if (!boot) co_return tl::unexpected(boot.error());
  tracked.boot_id = *boot;

  const ports::Fence& fence = operation.fence;
  tracked.start_args = {tracked.units ? tracked.unit() : operation.id,
                        std::to_string((operation.deadline_ms + 999) / 1000),
                        fence.service.empty() ? "-" : fence.service, std::to_string(fence.port),
                        std::to_string(fence.epoch)};
  const auto sealed = co_await needs_sudo(operation.privileged);
  if (!sealed) co_return tl::unexpected(sealed.error());
  for (const auto& word : *sealed ? seal_argv(operation.argv) : operation.argv) {
    tracked.start_args.push_back(tracked.units ? escape_dollars(word) : word);
  }
  co_return co_await follow(std::move(tracked), operation.deadline_ms + answer_margin_ms);
}

Task<Result<ports::ExecResult>> ShellHost::await_operation(std::string id, DurationMs deadline_ms,
                                                           bool privileged) {
  if (!is_operation_id(id)) co_return refuse("not an operation id: " + escape_for_terminal(id));
  const auto units = co_await uses_units(privileged);
  if (!units) co_return tl::unexpected(units.error());
  Tracked tracked;
  tracked.operation.id = std::move(id);
  tracked.attached = tracked.started = tracked.may_have_started = true;
  tracked.units = *units;
  tracked.with_sudo = privileged && sudo_;
  co_return co_await follow(std::move(tracked), std::min(deadline_ms, max_deadline_ms));
}

tl::unexpected<Error> ShellHost::no_outcome(const Tracked& tracked,
                                            const ports::ExecResult& raw) const {
  const std::string why = redact(escape_for_terminal(truncate_utf8(trim(raw.err), 300)));
  if (raw.exit_code == operation_fenced) return fail(ErrorCode::refused, why, name_);
  if (raw.exit_code == operation_not_started) {
    return fail(ErrorCode::failed, "the operation could not be started: " + why, name_,
                sudo_ ? "check sudo there with `hitless doctor`" : "");
  }
  if (tracked.attached && raw.exit_code == operation_gone) {
    return fail(ErrorCode::not_found, "no trace of operation " + tracked.operation.id, name_);
  }
  return fail(ErrorCode::transport_lost,
              "outcome unknown: there is no record of the operation's end", name_,
              "was the host rebooted? Look at the service before going on");
}

Task<Result<ports::ExecResult>> ShellHost::follow(Tracked tracked, DurationMs limit_ms) {
  const std::int64_t give_up_ms = steady_ms() + limit_ms;
  DurationMs backoff_ms = 250;
  std::string last_trouble = "it has not ended";
  bool runs = false;
  do {
    auto raw = co_await start_or_ask(&tracked);
    if (!raw) {
      const ErrorCode code = raw.error().code;
      const bool connection = code == ErrorCode::transport_lost || code == ErrorCode::timed_out ||
                              code == ErrorCode::unavailable || code == ErrorCode::refused;
      if (!connection || !tracked.may_have_started) co_return raw;
      last_trouble = raw.error().what;
      runs = false;
      co_await sleep_for(std::clamp<DurationMs>(give_up_ms - steady_ms(), 0, backoff_ms));
      backoff_ms = std::min(backoff_ms * 2, max_backoff_ms);
      continue;
    }
    backoff_ms = 250;
    runs = raw->exit_code == operation_running;
    if (runs) continue;
    if (raw->exit_code != 0) co_return no_outcome(tracked, *raw);
    auto answer = take_apart(std::move(*raw));
    if (!answer) co_return no_outcome(tracked, {});
    tracked.end_state = property(answer->head, "ActiveState");
    auto outcome = tracked.units ? unit_outcome(std::move(*answer), tracked.operation)
                                 : detached_outcome(std::move(*answer), tracked.operation);
    co_await collect(&tracked);
    if (!outcome && outcome.error().where.empty()) outcome.error().where = name_;
    co_return outcome;
  } while (steady_ms() < give_up_ms);
  if (tracked.attached && runs) {
    co_return fail(ErrorCode::timed_out, title_of(tracked.operation) + " still runs", name_);
  }
  co_return fail(ErrorCode::transport_lost, "outcome unknown: " + last_trouble, name_,
                 "the operation may still run there; ask again or look at the host");
}

}  // namespace hitless::host
