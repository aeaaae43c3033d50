// The prober's counts. The prober's thread writes, any thread may take a snapshot; every change
// that touches two counts is one critical section, so a snapshot always adds up.
#pragma once
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "witness/prober.hpp"

namespace hitless::witness {

class Tally {
 public:
  Tally();
  void started(TimeMs at_ms);
  void stopped(TimeMs at_ms);
  void named(const std::string& id_prefix);
  void sent(RequestType type, TimeMs at_ms, std::int64_t lag_us, std::int64_t arrival);
  void mark(Mark mark);  // with the counts of this moment
  // What sent() counted did not leave this machine after all.
  void withdrawn(RequestType type, const std::string& why);
  void not_sent(std::int64_t count, const std::string& why);
  void answered(int status, TimeMs at_ms, std::int64_t latency_us);
  void lost(Loss loss, TimeMs at_ms);
  void unfinished();
  void reopened();
  [[nodiscard]] ProberSnapshot snapshot() const;

 private:
  struct Second {
    std::int64_t number = -1;  // seconds since the epoch
    std::int64_t sent = 0, ok = 0, lost = 0;
    LatencyHistogram latency;
  };
  static constexpr std::size_t kSeconds = 61;  // a minute of whole ones and the current one
  Second& second_of(TimeMs at_ms);
  [[nodiscard]] std::vector<SecondWindow> last_seconds() const;
  void close_second(std::int64_t number);  // it is over: into the series
  [[nodiscard]] Mark count_now(Mark mark, TimeMs at_ms) const;

  mutable std::mutex mutex_;
  ProberSnapshot totals_;  // without what snapshot() works out
  std::deque<Loss> losses_;
  std::vector<Second> seconds_;
  std::int64_t newest_second_ = -1;
  Series series_;
  std::int64_t arrivals_ = 0;
  std::int64_t http_answers_ = 0;
  TimeMs last_sent_ms_ = 0;
  std::int64_t longest_gap_ms_ = 0;  // since the last mark
};

}  // namespace hitless::witness
