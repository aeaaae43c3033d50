#include <chrono>

#include "adapters/health/probes.hpp"
#include "base/text.hpp"
#include "runtime/timeout.hpp"

namespace hitless {
namespace health {
namespace {

using core::HealthReading;
using core::HealthStatus;

constexpr std::size_t max_output_bytes = 64u << 10;
constexpr DurationMs grace_ms = 1000;  // over the deadline that exec itself keeps

class CommandProbe final : public ports::Health {
 public:
  explicit CommandProbe(CommandHealth config) : config_(std::move(config)) {
    label_ = escape_for_terminal(truncate_utf8(redact(join(config_.argv, " ")), 80));
  }
  [[nodiscard]] std::string describe() const override { return "command " + label_; }

  Task<HealthReading> probe() override {
    HealthReading out;
    if (config_.argv.empty() || config_.argv[0].empty() || !config_.exec) {
      out.evidence = "no command is configured";
      co_return out;
    }
    const auto started = std::chrono::steady_clock::now();
    auto result = co_await with_timeout(config_.exec(config_.argv, config_.timeout_ms),
                                        config_.timeout_ms + grace_ms, "the command");
    const auto took = std::chrono::steady_clock::now() - started;
    out.latency_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    if (!result) {
      out.evidence = truncate_utf8(label_ + " → " + hitless::describe(result.error()), 200);
      co_return out;
    }
    const int code = result->exit_code;
    out.status = code == 0                    ? HealthStatus::pass
                 : code == 126 || code == 127 ? HealthStatus::unknown
                                              : HealthStatus::fail;
    out.evidence = label_ + " → exit " + std::to_string(code);
    if (code != 0) out.evidence += last_words(*result);
    co_return out;
  }

 private:
  static std::string last_words(const ports::ExecResult& result) {
    const std::string& from = trim(result.err).empty() ? result.out : result.err;
    const std::string clean = redact(std::string_view(from).substr(0, max_output_bytes));
    std::string_view text = trim(clean);
    text = text.substr(text.rfind('\n') + 1);
    return text.empty() ? "" : ": " + truncate_utf8(escape_for_terminal(text), 80);
  }

  CommandHealth config_;
  std::string label_;
};

}  // namespace
}  // namespace health

std::unique_ptr<ports::Health> make_command_health(CommandHealth config) {
  return std::make_unique<health::CommandProbe>(std::move(config));
}

}  // namespace hitless
