// What http.cpp and mail.cpp share. Private to runtime.
#pragma once
#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless {

struct CurlListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlList = std::unique_ptr<curl_slist, CurlListFree>;
void append(CurlList& list, const std::string& text);

[[nodiscard]] bool has_control(std::string_view text);

// scheme://host:port only: paths of webhooks and users in URLs are secrets.
[[nodiscard]] std::string place_of(std::string_view url);

// The Error of a transfer that ended with `code`; message may be empty.
[[nodiscard]] tl::unexpected<Error> curl_failure(CURL* easy, CURLcode code, const char* message,
                                                 const std::string& url);

// Once for the program, before the first handle.
void curl_init_once();

}  // namespace hitless
