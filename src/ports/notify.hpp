// Notify port: one sink. Delivery is at least once; `key` is stable over retries so that receivers
// can drop repeats. The spool keeps what could not be delivered yet on disk.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

enum class NotificationKind { started, succeeded, failed, test };

struct Attachment {
  std::string name;  // "R-7f3a-audit.jsonl"
  std::string media_type;
  std::string content;
};

struct Notification {
  std::string key;  // "<rollout>/<kind>"
  NotificationKind kind = NotificationKind::succeeded;
  std::string rollout, service, result, incident;
  std::string title;  // one line
  std::string text;   // the failure card or the summary, plain text
  std::string actor;
  std::int64_t at = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<Attachment> attachments;
};

// retry_after_ms tells the spool when to try again; an Error with code invalid or refused is final.
struct DeliveryFailure {
  Error error;
  bool final = false;
  std::optional<DurationMs> retry_after_ms;
};

class Sink {
 public:
  virtual ~Sink() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual bool required() const = 0;
  [[nodiscard]] virtual bool wants(NotificationKind kind) const = 0;
  virtual Task<tl::expected<void, DeliveryFailure>> deliver(Notification notification) = 0;
};

}  // namespace hitless::ports
