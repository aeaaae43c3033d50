// Health drivers: is an instance, asked directly, fit to serve? By HTTP(S), by a TCP connection, or
// by a command. And a question to Prometheus, for gates.
//
// pass: exactly what was expected. fail: the instance answered otherwise, refused, broke off or did
// not answer in time. unknown: we could not ask (bad address, name not resolved, CA file missing, a
// lost connection to the host that runs the command); it is neither good nor bad news.
//
// A name is resolved once per probe and the probe connects to the addresses that were checked,
// whatever the name says a moment later. Link-local addresses and those of cloud metadata services
// are refused unless allowed. Redirects are not followed, proxies of the environment not used.
// Evidence is redacted, escaped and short. Nothing is kept between probes, so a crash loses
// nothing.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ports/health.hpp"
#include "ports/host.hpp"

namespace hitless {

struct HttpHealth {
  std::string url;  // http://10.0.0.11:8080/healthz
  int expect_status = 200;
  std::string expect_body;  // must be in the body; empty: any body
  std::string ca_file;      // empty: the system's
  std::string host_header;  // empty: the URL's host
  DurationMs timeout_ms = 2000;
  bool verify_tls = true;
  bool allow_link_local = false;
};
[[nodiscard]] std::unique_ptr<ports::Health> make_http_health(HttpHealth config);

struct TcpHealth {
  std::string target;  // host:port, [v6]:port
  DurationMs timeout_ms = 2000;
  bool allow_link_local = false;
};
[[nodiscard]] std::unique_ptr<ports::Health> make_tcp_health(TcpHealth config);

struct CommandHealth {
  std::vector<std::string> argv;
  DurationMs timeout_ms = 5000;
  // Runs argv where the instance is: [host](auto argv, auto ms) { return host->exec(argv, {}, ms);
  // }. An error of it, a time-out too, means that nobody knows what the command says: unknown. So
  // does exit code 126 or 127 (there is no such command). 0 is pass, anything else fail.
  std::function<Task<Result<ports::ExecResult>>(std::vector<std::string>, DurationMs)> exec;
};
[[nodiscard]] std::unique_ptr<ports::Health> make_command_health(CommandHealth config);

// A question to Prometheus: each number of the answer has to be below or above a bound. No data,
// NaN, an error and more than 100 series are unknown.
struct PromqlHealth {
  std::string url;  // http://127.0.0.1:9090
  std::string query;
  std::optional<double> below, above;
  DurationMs timeout_ms = 5000;
};
[[nodiscard]] std::unique_ptr<ports::Health> make_promql_health(PromqlHealth config);
[[nodiscard]] core::HealthReading judge_promql(std::string_view body, std::optional<double> below,
                                               std::optional<double> above);

// All of them at once, for a host with several services. The checks must outlive it.
struct NamedHealth {
  std::string name;
  ports::Health* check = nullptr;
};
[[nodiscard]] std::unique_ptr<ports::Health> make_all_health(std::vector<NamedHealth> checks);

}  // namespace hitless
