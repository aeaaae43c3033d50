#include "runtime/curl_util.hpp"

#include <mutex>

#include "base/text.hpp"

namespace hitless {
namespace {

ErrorCode code_of(CURLcode code, bool connected) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return connected ? ErrorCode::timed_out : ErrorCode::unavailable;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return ErrorCode::unavailable;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_USE_SSL_FAILED:
      return ErrorCode::invalid;
    case CURLE_LOGIN_DENIED:
      return ErrorCode::refused;
    case CURLE_WRITE_ERROR:
      return ErrorCode::failed;
    default:
      return connected ? ErrorCode::transport_lost : ErrorCode::unavailable;
  }
}

}  // namespace

void append(CurlList& list, const std::string& text) {
  list.reset(curl_slist_append(list.release(), text.c_str()));
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string place_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  std::string_view place = url.substr(0, url.find_first_of("/?#", host));
  const std::size_t at = place.rfind('@');
  if (at == std::string_view::npos || at < host) return escape_for_terminal(place);
  return escape_for_terminal(std::string(url.substr(0, host)) + std::string(place.substr(at + 1)));
}

tl::unexpected<Error> curl_failure(CURL* easy, CURLcode code, const char* message,
                                   const std::string& url) {
  curl_off_t connect_us = 0;
  curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect_us);
  long sent_bytes = 0;
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
  const std::string what = message[0] != '\0' ? message : curl_easy_strerror(code);
  return fail(code_of(code, connect_us > 0 || sent_bytes > 0), redact(escape_for_terminal(what)),
              place_of(url));
}

void curl_init_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace hitless
