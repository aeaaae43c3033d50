// Notifications on disk until they are delivered, so that neither a crash nor a sink that is down
// loses one.
//
// One file (0600) per sink and notification, durable before the first attempt and removed after
// success. A crash between sending and removing sends again with the same key. What fails in a way
// that may pass is kept for later, also for the next run of hitless; what cannot succeed, is too
// old or unreadable moves to dead/, where people find it. One process at a time delivers to a sink.
#pragma once
#include <string>
#include <vector>

#include "ports/notify.hpp"

namespace hitless::notify {

struct SpoolLimits {
  int max_attempts = 50;  // in all, over all runs
  DurationMs max_age_ms = 7LL * 24 * 3600 * 1000;
  std::size_t max_files = 1000;
  std::int64_t max_bytes = 256LL << 20;
  std::size_t max_dead_files = 200;   // the oldest go first
  DurationMs first_backoff_ms = 500;  // doubles with each attempt
  DurationMs max_backoff_ms = 300'000;
};

enum class DeliveryStatus {
  delivered,
  pending,  // kept for later; error says why
  dead,     // given up; error says why
};

struct DeliveryReport {
  std::string sink, key;
  DeliveryStatus status = DeliveryStatus::pending;
  int attempts = 0;
  Error error;
};

struct SpoolItem;

class Spool {
 public:
  explicit Spool(std::string dir, SpoolLimits limits = {})
      : dir_(std::move(dir)), limits_(limits) {}

  // Returns when it is on disk. The same key for the same sink again changes nothing. What people
  // read is redacted before it is stored.
  [[nodiscard]] Status enqueue(std::string sink, ports::Notification notification);

  // Tries what is due for these sinks until all is settled or the budget is used up; one report for
  // each notification that was waiting. The sinks must live until it returns.
  Task<std::vector<DeliveryReport>> flush(std::vector<ports::Sink*> sinks, DurationMs budget_ms);

  // What waits with this key, for any sink, is not sent any more.
  void withdraw(const std::string& key);

  // How many wait, for all sinks.
  [[nodiscard]] Result<std::size_t> size() const;

 private:
  Task<void> flush_sink(ports::Sink* sink, TimeMs end, std::vector<DeliveryReport>* reports);
  Task<DeliveryReport> attempt(ports::Sink* sink, SpoolItem* item, TimeMs end);
  DeliveryReport give_up(const SpoolItem& item, Error error);
  std::vector<SpoolItem> load(const std::string& sink);
  void bury(const std::string& file);

  std::string dir_;
  SpoolLimits limits_;
};

}  // namespace hitless::notify
