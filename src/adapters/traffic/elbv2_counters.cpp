#include "adapters/traffic/elbv2_counters.hpp"

#include <array>
#include <cmath>
#include <span>

#include "adapters/traffic/elbv2_report.hpp"
#include "base/text.hpp"

namespace hitless::elbv2 {
namespace {

using aws::Params;
using aws::Xml;

constexpr int kMaxPages = 20;
constexpr int kFirstPeriods = 2;
constexpr int kPeriodsBefore = 7;  // of baseline that is asked for
constexpr int kLooksInAPeriod = 4;
constexpr std::int64_t kDaysAtMost = 2;

struct Metric {
  const char* id;    // of the query, and our counter's name when it is an error
  const char* name;  // CloudWatch's
  bool by_group;     // false: of the whole load balancer
};
// The first is the one that is present whenever there was traffic.
constexpr std::array<Metric, 4> kAlb = {{{"requests", "RequestCount", true},
                                         {"responses_5xx", "HTTPCode_Target_5XX_Count", true},
                                         {"response_errors", "HTTPCode_ELB_5XX_Count", false},
                                         {"connect_errors", "TargetConnectionErrorCount", true}}};
constexpr std::array<Metric, 2> kNlb = {
    {{"requests", "NewFlowCount", false}, {"server_aborts", "TCP_Target_Reset_Count", false}}};

Params params_of(std::span<const Metric> metrics, const TargetGroup& group, bool network,
                 TimeMs from, TimeMs to, DurationMs period_ms) {
  Params params;
  params.add("StartTime", format_timestamp(from).substr(0, 19) + "Z");
  params.add("EndTime", format_timestamp(to).substr(0, 19) + "Z");
  params.add("ScanBy", std::string("TimestampAscending"));
  int n = 0;
  for (const Metric& metric : metrics) {
    const std::string prefix = "MetricDataQueries.member." + std::to_string(++n) + ".";
    const std::string inner = prefix + "MetricStat.Metric.";
    params.add(prefix + "Id", std::string(metric.id));
    params.add(inner + "Namespace", std::string(network ? "AWS/NetworkELB" : "AWS/ApplicationELB"));
    params.add(inner + "MetricName", std::string(metric.name));
    params.add(inner + "Dimensions.member.1.Name", std::string("LoadBalancer"));
    params.add(inner + "Dimensions.member.1.Value", dimension_of(group.load_balancers.front()));
    if (metric.by_group) {
      params.add(inner + "Dimensions.member.2.Name", std::string("TargetGroup"));
      params.add(inner + "Dimensions.member.2.Value", dimension_of(group.arn));
    }
    params.add(prefix + "MetricStat.Period", std::max<std::int64_t>(period_ms / 1'000, 1));
    params.add(prefix + "MetricStat.Stat", std::string("Sum"));
    params.add(prefix + "ReturnData", std::string("true"));
  }
  return params;
}

// Adds what one page says; a text when it cannot be believed.
std::string take(const Xml& page, MetricAnswer* answer, bool last_page) {
  for (const Xml* result : page.list("MetricDataResults")) {
    const std::string id = result->value("Id"), status = result->value("StatusCode");
    // On all pages but the last, PartialData only means that there is more to come.
    if (status != "Complete" && !(status == "PartialData" && !last_page))
      return "CloudWatch: " + escape_for_terminal(truncate_utf8(id, 40)) + " is " +
             escape_for_terminal(truncate_utf8(status, 40));
    const auto times = result->list("Timestamps"), values = result->list("Values");
    if (times.size() != values.size()) return "CloudWatch: times and values do not match";
    Minutes& minutes = id == "requests" ? answer->requests : answer->errors[id];
    for (std::size_t i = 0; i < times.size(); ++i) {
      const auto at = aws::parse_iso_time(times[i]->text);
      char* end = nullptr;
      const double value = std::strtod(values[i]->text.c_str(), &end);
      if (!at || values[i]->text.empty() || *end != '\0' || !(value >= 0) || value > 1e15)
        return "CloudWatch: a number that is none";
      minutes[*at] = value;
    }
  }
  return {};
}

}  // namespace

std::string dimension_of(const std::string& arn) {
  for (const char* word : {":loadbalancer/", ":targetgroup/"}) {
    const std::size_t at = arn.find(word);
    if (at == std::string::npos) continue;
    const bool of_lb = std::string_view(word) == ":loadbalancer/";
    return arn.substr(of_lb ? at + std::string_view(word).size() : at + 1);
  }
  return arn;
}

ports::PoolCounters total(const MetricAnswer& answer, bool counts_requests, TimeMs complete_until,
                          DurationMs period_ms) {
  ports::PoolCounters out;
  if (answer.requests.empty()) {
    out.problem = "CloudWatch has no requests yet";
    return out;
  }
  const TimeMs first = answer.requests.begin()->first;
  TimeMs end = first;
  while (end + period_ms <= complete_until && answer.requests.contains(end)) end += period_ms;
  if (end == first) {
    out.problem = "CloudWatch has no whole minute yet";
    return out;
  }
  const auto sum = [&](const Minutes& minutes) {
    double all = 0;
    for (const auto& [at, value] : minutes)
      if (at >= first && at < end) all += value;
    return static_cast<std::int64_t>(std::llround(all));
  };
  const auto error = [&](const char* name) -> std::optional<std::int64_t> {
    const auto it = answer.errors.find(name);
    if (it == answer.errors.end()) return std::nullopt;  // it was not asked for
    return sum(it->second);
  };
  if (counts_requests) out.requests = sum(answer.requests);
  out.responses_5xx = error("responses_5xx");
  out.response_errors = error("response_errors");
  out.connect_errors = error("connect_errors");
  out.server_aborts = error("server_aborts");
  out.epoch = "from " + format_timestamp(first);
  out.as_of = end;
  return out;
}

Task<ports::PoolCounters> CloudWatch::read(Link cloudwatch, TargetGroup group,
                                           DurationMs period_ms) {
  const TimeMs now = wall_now_ms();
  if (asked_at_ms_ != 0 && now - asked_at_ms_ < period_ms / kLooksInAPeriod) co_return last_;
  asked_at_ms_ = now;
  last_ = {};
  if (group.load_balancers.empty()) {
    last_.problem = "no load balancer uses this target group";
    co_return last_;
  }
  const TimeMs floor_now = now - now % period_ms;
  const bool first_look = from_ms_ == 0;
  if (first_look) from_ms_ = floor_now - kPeriodsBefore * period_ms;
  const bool network = is_network(group);
  MetricAnswer answer;
  const std::span<const Metric> metrics = network ? std::span<const Metric>(kNlb) : kAlb;
  for (const Metric& metric : metrics.subspan(1)) answer.errors[metric.id] = {};
  const TimeMs from = std::max(from_ms_, floor_now - kDaysAtMost * 86'400'000);
  const Params asked = params_of(metrics, group, network, from, floor_now + period_ms, period_ms);
  std::string token;
  for (int page = 0; page < kMaxPages; ++page) {
    Params params = asked;
    if (!token.empty()) params.add("NextToken", token);
    auto got = co_await cloudwatch->call("GetMetricData", std::move(params));
    if (!got) {
      last_.problem = hitless::describe(got.error().error);
      co_return last_;
    }
    token = got->value("NextToken");
    last_.problem = take(*got, &answer, token.empty());
    if (!last_.problem.empty()) co_return last_;
    if (token.empty()) break;
  }
  // The first look tells only of its first minutes: what lies between it and the next look is the
  // baseline that the rollout is compared with.
  TimeMs until = now - settled_ms(period_ms);
  if (first_look) until = std::min(until, from_ms_ + kFirstPeriods * period_ms);
  last_ = total(answer, !network, until, period_ms);
  co_return last_;
}

}  // namespace hitless::elbv2
