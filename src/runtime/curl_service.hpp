// libcurl's multi interface driven by the io_context: one multi for each context, so connections
// that may be reused are. Private to runtime; others use http.hpp.
#pragma once
#include <curl/curl.h>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <set>

#include "runtime/task.hpp"

namespace hitless {

// One transfer. Whoever made it destroys it; that also takes it out of the multi.
struct CurlTransfer {
  CURL* easy = nullptr;
  CURLcode code = CURLE_OK;
  bool done = false;
  Signal finished;
};

class CurlService : public boost::asio::execution_context::service {
 public:
  using key_type = CurlService;
  static inline boost::asio::execution_context::id id;

  explicit CurlService(boost::asio::execution_context& context);
  ~CurlService() override;

  bool add(CurlTransfer* transfer);
  void remove(CurlTransfer* transfer);
  static CurlService& of(const boost::asio::any_io_executor& executor);

 private:
  struct Watch;
  void shutdown() override;
  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void* watch);
  static int on_timer(CURLM*, long timeout_ms, void* self);
  void arm(const std::shared_ptr<Watch>& watch, int direction);
  void act(curl_socket_t socket, int flags);
  void collect_finished();

  CURLM* multi_;
  boost::asio::any_io_executor executor_;
  std::unique_ptr<boost::asio::steady_timer> timer_;
  std::map<curl_socket_t, std::shared_ptr<Watch>> watches_;
  std::set<CurlTransfer*> transfers_;
};

}  // namespace hitless
