// Alerts that Alertmanager has sent (webhook payload, version 4), and what the fleet file says that
// they call for.
//
// Invariants: what an alert calls for stands in the fleet file alone. Labels are compared and
// looked up, nothing else: none of them can name a service, an intent, or a host that is not one of
// the service's. The same alert, told again, is one; one that is resolved, or was not told for a
// day, is gone. Sizes and counts are capped. Kept in memory: after a crash Alertmanager tells them
// again, and what was done about them is in the journal (cli/trigger_ledger.hpp).
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/triggers.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

struct Alert {
  std::map<std::string, std::string> labels;
  std::string starts_at;  // as it was written; tells one firing from the next
  bool resolved = false;
};

struct AlertMessage {
  std::vector<Alert> alerts;
  std::int64_t cut_off = 0;  // that Alertmanager did not send
};
[[nodiscard]] Result<AlertMessage> parse_alerts(std::string_view body);

class AlertBook {
 public:
  static constexpr std::size_t kMaxAlerts = 2'000;
  static constexpr DurationMs kForgottenMs = 24LL * 3'600'000;

  // How many of them are new or gone. What does not fit any more is dropped, and told in unknown().
  std::size_t take(const AlertMessage& message, TimeMs now);
  struct Called {
    std::vector<agent::Finding> findings;
    std::vector<std::string> unknown;
  };
  [[nodiscard]] Called called_for(const fleet::Fleet& fleet, const std::string& only_service,
                                  TimeMs now);

 private:
  struct Kept {
    Alert alert;
    TimeMs told_at = 0;
  };
  std::map<std::string, Kept> alerts_;  // by their labels
  bool full_ = false;
  std::int64_t cut_off_ = 0;
};

}  // namespace hitless::cli
