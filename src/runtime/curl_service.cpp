#include "runtime/curl_service.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "runtime/curl_util.hpp"

namespace hitless {
namespace asio = boost::asio;

constexpr long max_kept_connections = 64;

// A socket that curl wants to be told about. curl owns the socket; we only borrow it.
struct CurlService::Watch {
  Watch(const asio::any_io_executor& executor, curl_socket_t socket)
      : descriptor(executor, socket), fd(socket) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { drop(); }
  void drop() {
    if (descriptor.is_open()) descriptor.release();
    wanted = 0;
  }
  asio::posix::stream_descriptor descriptor;
  curl_socket_t fd;
  int wanted = 0;  // CURL_POLL_IN | CURL_POLL_OUT
  int armed = 0;   // waits under way
};

CurlService::CurlService(asio::execution_context& context)
    : service(context),
      executor_(static_cast<asio::io_context&>(context).get_executor()),
      timer_(std::make_unique<asio::steady_timer>(executor_)) {
  curl_init_once();
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlService::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlService::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, max_kept_connections);
}

CurlService::~CurlService() {
  curl_multi_cleanup(multi_);
}

CurlService& CurlService::of(const asio::any_io_executor& executor) {
  return asio::use_service<CurlService>(
      static_cast<asio::io_context&>(asio::query(executor, asio::execution::context)));
}

// The context is going down: frames that still hold transfers are destroyed after this and call
// remove(), so the multi itself lives until the destructor.
void CurlService::shutdown() {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
  for (auto* transfer : transfers_) curl_multi_remove_handle(multi_, transfer->easy);
  transfers_.clear();
  for (auto& [fd, watch] : watches_) watch->drop();
  watches_.clear();
  timer_.reset();
}

bool CurlService::add(CurlTransfer* transfer) {
  curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
  if (curl_multi_add_handle(multi_, transfer->easy) != CURLM_OK) return false;
  transfers_.insert(transfer);
  return true;
}

void CurlService::remove(CurlTransfer* transfer) {
  if (transfers_.erase(transfer) > 0) curl_multi_remove_handle(multi_, transfer->easy);
}

int CurlService::on_socket(CURL*, curl_socket_t socket, int what, void* self, void*) {
  auto& service = *static_cast<CurlService*>(self);
  auto& watch = service.watches_[socket];
  if (what == CURL_POLL_REMOVE) {
    if (watch) watch->drop();
    service.watches_.erase(socket);
    return 0;
  }
  if (!watch) watch = std::make_shared<Watch>(service.executor_, socket);
  watch->wanted = what;
  service.arm(watch, CURL_POLL_IN);
  service.arm(watch, CURL_POLL_OUT);
  return 0;
}

void CurlService::arm(const std::shared_ptr<Watch>& watch, int direction) {
  if ((watch->wanted & direction) == 0 || (watch->armed & direction) != 0) return;
  watch->armed |= direction;
  const bool reading = direction == CURL_POLL_IN;
  watch->descriptor.async_wait(
      reading ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write,
      [this, watch, direction, reading](const boost::system::error_code& code) {
        watch->armed &= ~direction;
        if (code == asio::error::operation_aborted || (watch->wanted & direction) == 0) return;
        act(watch->fd, code ? CURL_CSELECT_ERR : reading ? CURL_CSELECT_IN : CURL_CSELECT_OUT);
        arm(watch, direction);
      });
}

int CurlService::on_timer(CURLM*, long timeout_ms, void* self) {
  auto& service = *static_cast<CurlService*>(self);
  if (timeout_ms < 0) {
    service.timer_->cancel();
    return 0;
  }
  service.timer_->expires_after(std::chrono::milliseconds(timeout_ms));
  service.timer_->async_wait([&service](const boost::system::error_code& code) {
    if (!code) service.act(CURL_SOCKET_TIMEOUT, 0);
  });
  return 0;
}

void CurlService::act(curl_socket_t socket, int flags) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, flags, &running);
  collect_finished();
}

void CurlService::collect_finished() {
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    CurlTransfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    remove(transfer);  // message is invalid from here on
    transfer->code = code;
    transfer->done = true;
    transfer->finished.notify();
  }
}

}  // namespace hitless
