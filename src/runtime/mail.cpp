// SMTP through libcurl on a thread of its own: curl waits for the end of a mail and for the answer
// to QUIT in a blocking loop, even under its multi interface, and would stop the whole event loop.
#include <fcntl.h>
#include <sys/eventfd.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "base/text.hpp"
#include "runtime/child.hpp"
#include "runtime/curl_util.hpp"
#include "runtime/http.hpp"
#include "runtime/readable.hpp"

namespace hitless {
namespace asio = boost::asio;
namespace {

struct Delivery {
  SmtpMessage message;
  std::size_t uploaded = 0;
  std::atomic<bool> abandoned = false;
  Fd done;  // an eventfd
  Status status;
};

std::size_t on_upload(char* buffer, std::size_t one, std::size_t count, void* from) {
  auto& delivery = *static_cast<Delivery*>(from);
  const std::string& payload = delivery.message.payload;
  const std::size_t n = std::min(one * count, payload.size() - delivery.uploaded);
  payload.copy(buffer, n, delivery.uploaded);
  delivery.uploaded += n;
  return n;
}

std::size_t on_reply(char*, std::size_t one, std::size_t count, void*) {
  return one * count;
}

// curl calls it at least once a second; anything but 0 ends the transfer.
int on_progress(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Delivery*>(of)->abandoned ? 1 : 0;
}

Status deliver_blocking(Delivery& delivery) {
  const SmtpMessage& message = delivery.message;
  char text[CURL_ERROR_SIZE] = {};
  CurlList recipients;
  for (const auto& to : message.to) append(recipients, "<" + to + ">");
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  CURL* h = easy.get();
  const std::string from = "<" + message.from + ">";
  const auto timeout_ms = static_cast<long>(std::max<DurationMs>(message.timeout_ms, 1));
  CURLcode code = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (code == CURLE_OK) code = curl_easy_setopt(h, option, value);
  };
  set(CURLOPT_ERRORBUFFER, text);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  set(CURLOPT_URL, message.url.c_str());
  set(CURLOPT_PROXY, "");
  set(CURLOPT_TIMEOUT_MS, timeout_ms);
  set(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
  set(CURLOPT_SERVER_RESPONSE_TIMEOUT, std::max(1L, timeout_ms / 1000));
  set(CURLOPT_MAIL_FROM, from.c_str());
  set(CURLOPT_MAIL_RCPT, recipients.get());
  if (!message.username.empty()) {
    set(CURLOPT_USERNAME, message.username.c_str());
    set(CURLOPT_PASSWORD, message.password.c_str());
  }
  if (message.require_tls) set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  set(CURLOPT_UPLOAD, 1L);
  set(CURLOPT_READFUNCTION, &on_upload);
  set(CURLOPT_READDATA, &delivery);
  set(CURLOPT_WRITEFUNCTION, &on_reply);
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, &delivery);
  set(CURLOPT_NOPROGRESS, 0L);
  if (code == CURLE_OK) code = curl_easy_perform(h);
  if (code == CURLE_OK) return {};
  auto failure = curl_failure(h, code, text, message.url);
  long reply = 0;
  curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &reply);
  if (reply >= 500) failure.value().code = ErrorCode::refused;
  return failure;
}

// Ends the thread before its owner goes on, also when the waiting coroutine is cancelled.
struct Worker {
  std::shared_ptr<Delivery> delivery;
  std::thread thread;
  explicit Worker(std::shared_ptr<Delivery> d)
      : delivery(std::move(d)), thread([shared = delivery] {
          shared->status = deliver_blocking(*shared);
          ::eventfd_write(shared->done.get(), 1);
        }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    delivery->abandoned = true;
    thread.join();
  }
};

bool is_mail_address(std::string_view text) {
  return !text.empty() && text.size() <= 320 && !has_control(text) &&
         text.find_first_of("<> ") == std::string_view::npos;
}

Status check_message(const SmtpMessage& message) {
  if (has_control(message.url) || message.url.find(' ') != std::string::npos) {
    return fail(ErrorCode::invalid, "not an SMTP URL", place_of(message.url));
  }
  if (!is_mail_address(message.from) || message.to.empty() ||
      !std::ranges::all_of(message.to, is_mail_address)) {
    return fail(ErrorCode::invalid, "a mail needs a valid sender and valid recipients",
                place_of(message.url), "give plain addresses: name@example.org");
  }
  return {};
}

}  // namespace

Task<Status> send_mail(SmtpMessage message) {
  auto checked = check_message(message);
  if (!checked) co_return checked;
  curl_init_once();
  auto delivery = std::make_shared<Delivery>();
  delivery->message = std::move(message);
  delivery->done.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  asio::posix::stream_descriptor done(co_await asio::this_coro::executor,
                                      ::fcntl(delivery->done.get(), F_DUPFD_CLOEXEC, 0));
  const Worker worker(delivery);
  co_await wait_readable(&done);
  co_return delivery->status;
}

}  // namespace hitless
