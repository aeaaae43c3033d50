// The webhook of Alertmanager: POST /alertmanager on a loopback address, with the same gate as MCP
// over HTTP (Host, Origin, bearer token) and a cap on the body. What comes goes into the book.
#pragma once
#include <functional>
#include <memory>

#include "cli/alert_book.hpp"
#include "mcp/http.hpp"

namespace hitless::cli {

inline constexpr const char* kAlertTokenVariable = "HITLESS_ALERT_TOKEN";

// "127.0.0.1:9099", with the token that the environment holds.
[[nodiscard]] Result<mcp::HttpOptions> alert_options(const std::string& where);
// on_news: after something new was taken. Book and callback must outlive the server.
Task<Result<std::unique_ptr<HttpServer>>> listen_for_alerts(mcp::HttpOptions options,
                                                            AlertBook* book,
                                                            std::function<void()> on_news);

}  // namespace hitless::cli
