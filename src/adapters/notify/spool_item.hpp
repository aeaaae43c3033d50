// One file of the spool: "hitless-spool 1 <sha256 of the rest>" and JSON. For spool.cpp only.
#pragma once
#include <string>

#include "ports/notify.hpp"

namespace hitless::notify {

struct SpoolItem {
  std::string file;  // its name in the spool's folder; not stored
  std::string sink;
  ports::Notification notification;
  TimeMs queued_at = 0;
  TimeMs next_at = 0;  // not before
  int attempts = 0;
  std::string last_error;
};

[[nodiscard]] std::string item_to_text(const SpoolItem& item);
[[nodiscard]] Result<SpoolItem> item_from_text(std::string_view text);

}  // namespace hitless::notify
