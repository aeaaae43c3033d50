// What the demo consists of on disk and on which ports, and the texts of its configurations. Pure.
//
//   clients → HAProxy (be_web) → web01, web02, web03 (nginx) → api_pool → api-gateway (nginx)
//
// Everything that an instance answers, /healthz included, goes through api_pool, so a wrong port in
// that pool passes `nginx -t` and answers 502: that is the sabotage.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace hitless::demo {

enum class ConfigSource {
  initial,    // what is running at the start: api_pool of two
  good,       // api_pool of three, and nothing else changed
  sabotaged,  // api_pool points to a port where nobody listens
};
[[nodiscard]] const char* name_of(ConfigSource source);

struct Layout {
  std::string dir;             // the demo's folder, a plain path
  std::string nginx, haproxy;  // the programs, absolute
  std::vector<std::string> hosts = {"web01", "web02", "web03"};
  std::vector<std::uint16_t> host_ports;     // of hosts
  std::vector<std::uint16_t> gateway_ports;  // three
  std::uint16_t lb_port = 0;
  std::uint16_t dead_port = 0;  // nobody listens there
  bool as_root = false;

  [[nodiscard]] std::string home(const std::string& name) const { return dir + "/" + name; }
  [[nodiscard]] std::string script() const { return dir + "/bin/svc.sh"; }
  [[nodiscard]] std::string admin_socket() const { return dir + "/lb/admin.sock"; }
  [[nodiscard]] std::string master_socket() const { return dir + "/lb/master.sock"; }
  [[nodiscard]] std::string webhook_url_file() const { return dir + "/webhook.url"; }
  [[nodiscard]] std::string webhook_key_file() const { return dir + "/webhook.key"; }
  [[nodiscard]] std::string source(ConfigSource which, const std::string& host) const;
};

[[nodiscard]] std::string web_config(const Layout& layout, std::size_t host, ConfigSource which);
[[nodiscard]] std::string gateway_config(const Layout& layout);
[[nodiscard]] std::string lb_config(const Layout& layout);
// svc.sh test|start|reload|restart|stop|status NAME [CONFIG]
[[nodiscard]] std::string service_script(const Layout& layout);

// hitless.yaml of the demo: service `web` on all hosts, its configuration from sources/next. The
// receiver's address and key are in files beside it, so that neither stands in the text.
[[nodiscard]] std::string fleet_file(const Layout& layout, double clients_per_s);

// Files that take about half a second to two seconds to download, so that a drain has something to
// wait for: {name, bytes}.
struct Download {
  const char* name;
  std::size_t bytes;
};
[[nodiscard]] const std::vector<Download>& downloads();

}  // namespace hitless::demo
