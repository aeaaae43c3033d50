#include "adapters/coordination/claims.hpp"

#include <time.h>

#include <algorithm>
#include <charconv>

#include "adapters/coordination/claim_script.hpp"
#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace hitless::coordination {
namespace {

constexpr DurationMs kAskDeadlineMs = 10'000;
constexpr int kTries = 2;  // of a step whose answer was lost; it gives the same answer again
constexpr DurationMs kMinTtlMs = 1000, kMaxTtlMs = 3600LL * 1000;
constexpr std::size_t kMaxWhoBytes = 80;
constexpr std::size_t kHolderLines = 5;

std::int64_t number_or(std::string_view text, std::int64_t otherwise) {
  std::int64_t value = otherwise;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && at == text.data() + text.size() ? value : otherwise;
}

std::string shown(std::string_view text) {
  return redact(escape_for_terminal(truncate_utf8(trim(text), 200)));
}

// One word of plain characters: it passes sudoers and stands in a line of a file.
std::string plain_word(std::string_view text) {
  std::string word(text.substr(0, kMaxWhoBytes));
  for (char& c : word) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       std::string_view("._@:-").find(c) != std::string_view::npos;
    if (!plain) c = '_';
  }
  return word.empty() ? "-" : word;
}

Status check_config(const ClaimsConfig& config) {
  if (auto ok = check_identifier(config.service); !ok) return ok;
  if (config.ttl_ms < kMinTtlMs || config.ttl_ms > kMaxTtlMs) {
    return fail(ErrorCode::invalid, "a lease lasts from a second to an hour");
  }
  if (config.instances.empty()) return fail(ErrorCode::invalid, "no instances to claim");
  for (const ClaimedInstance& each : config.instances) {
    if (auto ok = check_identifier(each.service.empty() ? config.service : each.service); !ok)
      return ok;
    if (each.host == nullptr || each.port < 0 || each.port > 65535) {
      return fail(ErrorCode::invalid, "an instance to claim has no host or no proper port",
                  shown(each.instance.value));
    }
  }
  return {};
}

// One step of the script, for one instance.
struct Step {
  std::string verb;
  std::int64_t epoch = 0;
  bool flag = false;
};

class HostClaims final : public ports::Coordination {
 public:
  explicit HostClaims(ClaimsConfig config) : config_(std::move(config)) {
    valid_ = check_config(config_);
    renewed_at_ms_.resize(config_.instances.size());
  }

  Task<Result<ports::Lease>> acquire(ports::Claimant claimant, std::int64_t at_least) override {
    const auto guard = co_await mutex_.lock();
    if (!valid_) co_return tl::unexpected(valid_.error());
    if (!claimant.rollout.empty()) {
      if (auto ok = check_identifier(claimant.rollout); !ok) co_return tl::unexpected(ok.error());
    }
    claimant_ = claimant;
    if (token_.empty()) token_ = random_hex(16);
    const Step take{"acquire", std::max<std::int64_t>(at_least, 0), config_.home_is_locked};
    auto epochs = co_await on_all(std::vector<Step>(config_.instances.size(), take));
    if (epochs) {
      // Every host must know the one epoch that the rollout goes by: the highest.
      epoch_ = *std::ranges::max_element(*epochs);
      std::vector<Step> raise;
      for (const std::int64_t epoch : *epochs) {
        raise.push_back({epoch < epoch_ ? "renew" : "", epoch_, true});
      }
      epochs = co_await on_all(std::move(raise));
    }
    if (!epochs) {
      co_await give_back();
      co_return tl::unexpected(epochs.error());
    }
    co_return ports::Lease{epoch_, config_.ttl_ms};
  }

  Task<Status> renew() override {
    const auto guard = co_await mutex_.lock();
    if (token_.empty()) co_return not_held();
    std::vector<Step> steps;
    for (const std::int64_t at : renewed_at_ms_) {
      const bool fresh = boot_now_ms() - at < config_.ttl_ms;
      steps.push_back({"renew", epoch_, fresh || config_.outlives_reboot});
    }
    const auto done = co_await on_all(std::move(steps));
    if (!done) co_return tl::unexpected(done.error());
    co_return Status{};
  }

  Task<Status> release() override {
    const auto guard = co_await mutex_.lock();
    if (token_.empty()) co_return Status{};
    co_return co_await give_back();
  }

  Task<Status> check(core::InstanceId instance, std::int64_t epoch) override {
    bool known = false;  // a host that is one instance has a claim for each of its services
    for (std::size_t i = 0; i < config_.instances.size(); ++i) {
      if (config_.instances[i].instance != instance) continue;
      known = true;
      const auto checked = co_await ask(i, {"check", epoch, false});
      if (!checked) co_return tl::unexpected(checked.error());
    }
    if (known) co_return Status{};
    co_return fail(ErrorCode::internal, "not an instance of " + config_.service,
                   shown(instance.value));
  }

 private:
  static tl::unexpected<Error> not_held() {
    return fail(ErrorCode::refused, "no lease is held: it was never taken, or was given back");
  }

  [[nodiscard]] const std::string& service_of(const ClaimedInstance& claimed) const {
    return claimed.service.empty() ? config_.service : claimed.service;
  }

  Task<Status> give_back() {
    auto done = co_await on_all(
        std::vector<Step>(config_.instances.size(), Step{"release", epoch_, false}));
    token_.clear();
    if (!done) co_return tl::unexpected(done.error());
    co_return Status{};
  }

  // All hosts at once, and all to the end. A refusal is the error that counts.
  Task<Result<std::vector<std::int64_t>>> on_all(std::vector<Step> steps) {
    std::vector<Result<std::int64_t>> answers(steps.size());
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!steps[i].verb.empty()) tasks.push_back(keep(i, steps[i], &answers[i]));
    }
    co_await join_all(std::move(tasks));
    std::vector<std::int64_t> values;
    const Error* worst = nullptr;
    for (const auto& answer : answers) {
      if (answer) {
        values.push_back(*answer);
      } else if (worst == nullptr ||
                 (answer.error().code == ErrorCode::refused && worst->code != ErrorCode::refused)) {
        worst = &answer.error();
      }
    }
    if (worst != nullptr) co_return tl::unexpected(*worst);
    co_return values;
  }

  Task<void> keep(std::size_t index, Step step, Result<std::int64_t>* answer) {
    const std::int64_t started_ms = boot_now_ms();
    *answer = co_await ask(index, step);
    const bool lasts = step.verb == "acquire" || step.verb == "renew";
    if (*answer && lasts) renewed_at_ms_[index] = started_ms;
  }

  Task<Result<std::int64_t>> ask(std::size_t index, Step step) {
    const ClaimedInstance& at = config_.instances[index];
    const std::vector<std::string> args = {step.verb,
                                           service_of(at),
                                           std::to_string(at.port),
                                           std::to_string(step.epoch),
                                           token_.empty() ? "-" : token_,
                                           std::to_string((config_.ttl_ms + 999) / 1000),
                                           step.flag ? "1" : "0",
                                           sha256_hex(claimant_.home),
                                           claimant_.rollout.empty() ? "-" : claimant_.rollout,
                                           plain_word(claimant_.who)};
    for (int left = kTries;; --left) {
      const auto ran = co_await at.host->script(claim_script(), args, kAskDeadlineMs, true);
      if (ran) co_return answer_of(*ran, step, at);
      const ErrorCode code = ran.error().code;
      const bool lost = code == ErrorCode::transport_lost || code == ErrorCode::timed_out;
      if (lost && left > 1) continue;
      Error error = ran.error();
      if (lost) error.code = ErrorCode::unavailable;
      error.what = "the claim on " + service_of(at) + " cannot be looked at: " + error.what;
      if (error.where.empty()) error.where = at.host->name();
      // sudo or ssh said no; that is not a claim of somebody else.
      if (error.code == ErrorCode::refused) error.code = ErrorCode::unavailable;
      co_return tl::unexpected(std::move(error));
    }
  }

  Result<std::int64_t> answer_of(const ports::ExecResult& ran, const Step& step,
                                 const ClaimedInstance& at) const {
    const std::string host = at.host->name(), &service = service_of(at);
    if (ran.exit_code == claim_held) return held(ran.out, step, at);
    if (ran.exit_code == claim_gone && step.verb == "check") {
      return fail(ErrorCode::not_found, "there is no claim of ours on " + service + " (rebooted?)",
                  host);
    }
    if (ran.exit_code == claim_gone) {
      return fail(ErrorCode::refused, "the claim on " + service + " ran out", host,
                  "take it anew; somebody else may have worked on it since");
    }
    if (ran.exit_code != 0) {
      return fail(ErrorCode::unavailable,
                  "the claim on " + service + " failed there: " + shown(ran.err), host);
    }
    const std::int64_t epoch = number_or(trim(ran.out), 0);
    const bool prints = step.verb == "acquire" || step.verb == "renew";
    if (prints && epoch < 1) {
      return fail(ErrorCode::unavailable, "a garbled answer to a claim: " + shown(ran.out), host);
    }
    return epoch;
  }

  tl::unexpected<Error> held(const std::string& out, const Step& step,
                             const ClaimedInstance& at) const {
    const std::string host = at.host->name(), &service = service_of(at);
    auto lines = split(out, '\n');
    lines.resize(kHolderLines);
    const DurationMs left_ms = number_or(lines[1], 0) * 1000;
    const std::string since = format_timestamp(number_or(lines[2], 0) * 1000);
    const std::string holder =
        fmt::format("{} (rollout {}, since {})", shown(lines[4]), shown(lines[3]), since);
    if (step.verb != "acquire") {
      return fail(ErrorCode::refused,
                  fmt::format("{} was taken over by {}, epoch {}; ours is {}", service, holder,
                              shown(lines[0]), step.epoch),
                  host, "this rollout may change nothing more");
    }
    return fail(ErrorCode::refused,
                fmt::format("{} is being worked on by {}; its lease ends in {} unless renewed",
                            service, holder, format_duration(left_ms)),
                host, "wait for it to end, or look with `hitless status` where it runs");
  }

  ClaimsConfig config_;
  Status valid_;
  AsyncMutex mutex_;
  ports::Claimant claimant_;
  std::string token_;  // empty: nothing is held
  std::int64_t epoch_ = 0;
  std::vector<std::int64_t> renewed_at_ms_;  // for each instance, on our boot clock
};

}  // namespace

std::unique_ptr<ports::Coordination> make_host_claims(ClaimsConfig config) {
  return std::make_unique<HostClaims>(std::move(config));
}

ports::PrivilegedCommands privileged_commands() {
  using ports::CommandWord;
  ports::CommandWords words = {{"sh"}, {"-c"}, {claim_script()}, {"sh"}};
  const std::string name = "[A-Za-z0-9_][A-Za-z0-9_.:-]*";
  for (const std::string& pattern :
       {std::string("(acquire|renew|release|check)"), name, std::string("[0-9]+"),
        std::string("[0-9]+"), std::string("[0-9a-f-]+"), std::string("[0-9]+"),
        std::string("[01]"), std::string("[0-9a-f]{64}"), "(-|" + name + ")",
        std::string("[A-Za-z0-9._@:-]+")}) {
    words.push_back(CommandWord::pattern(pattern));
  }
  ports::PrivilegedCommands all;
  all.commands.push_back(std::move(words));
  return all;
}

}  // namespace hitless::coordination
