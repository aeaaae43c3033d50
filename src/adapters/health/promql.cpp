// A question to Prometheus as a check: GET /api/v1/query, each number of the answer within bounds.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <cmath>

#include "adapters/health/probes.hpp"
#include "base/text.hpp"
#include "runtime/http.hpp"

namespace hitless {
namespace health {
namespace {

namespace json = boost::json;
using core::HealthReading;
using core::HealthStatus;

constexpr std::size_t kMaxBodyBytes = 256u << 10;
constexpr std::size_t kMaxSeries = 100;

std::string encoded(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

// [ 1435781451.781, "0.25" ]
std::optional<double> number_in(const json::value* sample) {
  const json::array* pair = sample == nullptr ? nullptr : sample->if_array();
  if (pair == nullptr || pair->size() != 2 || !(*pair)[1].is_string()) return std::nullopt;
  const json::string& text = (*pair)[1].get_string();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

HealthReading unknown(std::string why) {
  return {HealthStatus::unknown, 0, "the question to Prometheus: " + std::move(why)};
}

class PromqlProbe final : public ports::Health {
 public:
  explicit PromqlProbe(PromqlHealth config) : config_(std::move(config)) {}

  [[nodiscard]] std::string describe() const override {
    return "PromQL " + escape_for_terminal(truncate_utf8(config_.query, 200));
  }

  Task<HealthReading> probe() override {
    HttpRequest request;
    request.url = config_.url + "/api/v1/query?query=" + encoded(config_.query);
    request.timeout_ms = config_.timeout_ms;
    request.max_body_bytes = kMaxBodyBytes;
    auto answer = co_await http_request(std::move(request));
    if (!answer) co_return unknown(describe_error(answer.error()));
    if (answer->truncated) co_return unknown("the answer is longer than 256 KiB");
    if (answer->status != 200) co_return unknown("HTTP " + std::to_string(answer->status));
    HealthReading reading = judge_promql(answer->body, config_.below, config_.above);
    reading.latency_us = answer->latency_us;
    co_return reading;
  }

 private:
  static std::string describe_error(const Error& error) {
    return escape_for_terminal(truncate_utf8(redact(error.what), 200));
  }
  PromqlHealth config_;
};

}  // namespace
}  // namespace health

// Each series has to be within: one that is not, among many that are, is what a gate is for.
core::HealthReading judge_promql(std::string_view body, std::optional<double> below,
                                 std::optional<double> above) {
  namespace json = boost::json;
  boost::system::error_code error;
  const json::value parsed = json::parse(body, error);
  const json::object* root = parsed.if_object();
  const json::value* status = root == nullptr ? nullptr : root->if_contains("status");
  const json::value* data = root == nullptr ? nullptr : root->if_contains("data");
  if (error || status == nullptr || *status != "success" || data == nullptr || !data->is_object())
    return health::unknown("no answer of Prometheus");
  const json::value* type = data->get_object().if_contains("resultType");
  const json::value* result = data->get_object().if_contains("result");
  if (type == nullptr || result == nullptr || !result->is_array())
    return health::unknown("no answer of Prometheus");
  std::vector<std::optional<double>> numbers;
  if (*type == "scalar") {
    numbers.push_back(health::number_in(result));
  } else if (*type == "vector") {
    const json::array& series = result->get_array();
    if (series.empty()) return health::unknown("no data");
    if (series.size() > health::kMaxSeries)
      return health::unknown("more than 100 series; aggregate them");
    for (const json::value& each : series) {
      const json::object* one = each.if_object();
      numbers.push_back(health::number_in(one == nullptr ? nullptr : one->if_contains("value")));
    }
  } else {
    return health::unknown("neither a vector nor a scalar");
  }
  core::HealthReading reading{core::HealthStatus::pass, 0, {}};
  for (const std::optional<double>& number : numbers) {
    if (!number) return health::unknown("a value that is no number (NaN)");
    const bool within = (!below || *number < *below) && (!above || *number > *above);
    if (!within && reading.status == core::HealthStatus::fail) continue;
    reading.evidence = fmt::format("{:g}, wanted {} {:g}", *number, below ? "below" : "above",
                                   below ? *below : above.value_or(0));
    if (!within) reading.status = core::HealthStatus::fail;
  }
  return reading;
}

std::unique_ptr<ports::Health> make_promql_health(PromqlHealth config) {
  return std::make_unique<health::PromqlProbe>(std::move(config));
}

}  // namespace hitless
