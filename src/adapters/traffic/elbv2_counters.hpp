// What CloudWatch counted for a target group, as running totals for the certificate.
//
// CloudWatch has one number a minute, a minute or three late, and leaves out what was zero. So a
// minute counts only once it is over for a while and its number of requests is there; only then an
// absent error count means 0. The totals reach to the end of the last minute of an unbroken row of
// such minutes (PoolCounters::as_of); a minute that is missing ends the row, and what comes after
// it is not known. A metric that could not be answered whole (PartialData, InternalError,
// Forbidden) makes all of it unknown.
#pragma once
#include "adapters/traffic/elbv2_api.hpp"
#include "ports/traffic.hpp"

namespace hitless::elbv2 {

// One metric's numbers by the start of their minute.
using Minutes = std::map<TimeMs, double>;
struct MetricAnswer {
  Minutes requests;                       // the one that is there whenever there was traffic
  std::map<std::string, Minutes> errors;  // by our counter's name
};

// Totals over the unbroken row that begins at the first minute with requests.
[[nodiscard]] ports::PoolCounters total(const MetricAnswer& answer, bool counts_requests,
                                        TimeMs complete_until, DurationMs period_ms);

// "app/web/50dc6c495c0c9188" of a load balancer's ARN, "targetgroup/…" of a target group's.
[[nodiscard]] std::string dimension_of(const std::string& arn);

class CloudWatch {
 public:
  // Data of a minute is taken for whole so long after its end; the witness waits one more for it.
  [[nodiscard]] static DurationMs settled_ms(DurationMs period_ms) { return 2 * period_ms; }
  [[nodiscard]] static DurationMs lag_ms(DurationMs period_ms) { return 5 * period_ms; }

  Task<ports::PoolCounters> read(Link cloudwatch, TargetGroup group, DurationMs period_ms);

 private:
  TimeMs from_ms_ = 0;      // the first look's, so that the totals only rise
  TimeMs asked_at_ms_ = 0;  // at most a few times a minute
  ports::PoolCounters last_;
};

}  // namespace hitless::elbv2
