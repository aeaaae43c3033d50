// A webhook endpoint on loopback that keeps what it got, so that the demo can show the notification
// and its audit log as a receiver sees it. It checks the signature the way a receiver should
// (Standard Webhooks: HMAC-SHA256 over "id.timestamp.body", within five minutes) and answers 401
// when it is wrong.
//
// Own thread; all calls from any thread. At most kMaxDeliveries are kept (then it answers 503).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless::demo {

struct WebhookDelivery {
  TimeMs at_ms = 0;
  std::string id;  // webhook-id: the same when a delivery is repeated
  std::string body;
};

class WebhookReceiver {
 public:
  static constexpr std::size_t kMaxDeliveries = 64;
  static constexpr std::size_t kMaxBodyBytes = 8u << 20;

  explicit WebhookReceiver(std::string secret);
  ~WebhookReceiver();
  WebhookReceiver(const WebhookReceiver&) = delete;
  WebhookReceiver& operator=(const WebhookReceiver&) = delete;

  [[nodiscard]] Status start();  // on a free port of 127.0.0.1
  void stop();
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::vector<WebhookDelivery> deliveries() const;  // those with a good signature
  [[nodiscard]] std::int64_t refused() const;  // bad signature, too big, too many

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hitless::demo
