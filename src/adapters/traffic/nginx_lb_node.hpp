// One nginx on one host: looking at it, and changing its upstream file with a proven reload.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "adapters/traffic/nginx_lb.hpp"
#include "adapters/traffic/nginx_lb_scripts.hpp"

namespace hitless::traffic {

class NginxLbLink {
 public:
  NginxLbLink(NginxLbNode node, const NginxLbPool* pool) : node_(std::move(node)), pool_(pool) {}

  [[nodiscard]] const std::string& name() const { return node_.name; }
  Task<Result<NginxLbView>> look();
  // edit: the new text from the present one. Nothing happens when it gives the same text and nginx
  // has read it. Ends when every worker that takes connections has read the new text.
  Task<Status> change(std::function<Result<std::string>(std::string_view)> edit);
  // What nginx's configuration holds on disk that it has not read, except the upstream file itself;
  // empty: nothing.
  Task<Result<std::string>> pending();
  // As pending() saw it last; empty: not set.
  [[nodiscard]] const std::string& shutdown_timeout() const { return shutdown_timeout_; }

 private:
  Task<Result<std::string>> run(std::vector<std::string> args, std::string input,
                                DurationMs deadline_ms);
  Task<Status> change_once(std::function<Result<std::string>(std::string_view)> edit);
  Task<Status> prove(NginxLbView before);
  Task<std::string> log_since(std::int64_t offset);

  NginxLbNode node_;
  const NginxLbPool* pool_;
  std::string shutdown_timeout_;
};

}  // namespace hitless::traffic
