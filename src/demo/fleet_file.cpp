// The fleet file as a user would write it: it is shown by the demo, so it is commented.
#include "demo/layout.hpp"

namespace hitless::demo {

namespace {

std::string host_lines(const Layout& layout) {
  std::string text = "hosts:\n";
  for (const std::string& host : layout.hosts)
    text += fmt::format("  {}: {{address: 127.0.0.1, connect: local}}\n", host);
  return text;
}

std::string port_lines(const Layout& layout) {
  std::string text = "    ports: {";
  for (std::size_t i = 0; i < layout.hosts.size(); ++i)
    text += fmt::format("{}{}: {}", i == 0 ? "" : ", ", layout.hosts[i], layout.host_ports[i]);
  return text + "}\n";
}

std::string host_list(const Layout& layout) {
  return fmt::format("    hosts: [{}]\n", fmt::join(layout.hosts, ", "));
}

// Deadlines are short: everything is on this machine, and somebody watches. It may be busy with
// other things as well, so an answer counts as slow only when it is much slower than before.
constexpr const char* kPolicy = R"(    policy:
      floor: 2
      at_once: 1
      drain: {deadline: 15s, quiet: 200ms}
      verify: {deadline: 20s, stability: 1s, grace: 1s, latency_slack: 500ms}
      rejoin: {deadline: 15s, traffic_wait: 5s, soak: 500ms}
)";

}  // namespace

std::string fleet_file(const Layout& layout, double clients_per_s) {
  const std::string script = fmt::format("/bin/sh, {}", layout.script());
  std::string text =
      "# The demo's fleet: three nginx behind one HAProxy, all on this machine.\nversion: 1\n\n";
  text += host_lines(layout);
  text += fmt::format(
      "\nload_balancers:\n"
      "  lb-1:\n"
      "    kind: haproxy\n"
      "    config: {0}/lb/haproxy.cfg\n"
      "    nodes:\n"
      "      - {{name: lb-1, socket: \"unix:{1}\", master: \"unix:{2}\"}}\n"
      "\nservices:\n"
      "  web:\n"
      "    kind: command\n",
      layout.dir, layout.admin_socket(), layout.master_socket());
  text += host_list(layout) + port_lines(layout);
  text += fmt::format(
      "    pools: [{{lb: lb-1, backend: be_web, server: \"{{host}}\"}}]\n"
      "    config:\n"
      "      - {{source: \"{0}/sources/next/{{host}}.conf\", dest: \"{0}/{{host}}/nginx.conf\"}}\n"
      "    commands:\n"
      "      flavor: nginx  # new workers prove a reload\n"
      "      test: [{1}, test, \"{{host}}\", \"{{config}}\"]\n"
      "      reload: [{1}, reload, \"{{host}}\"]\n"
      "      restart: [{1}, restart, \"{{host}}\"]\n"
      "      status: [{1}, status, \"{{host}}\"]\n"
      "      pid_file: \"{0}/{{host}}/nginx.pid\"\n"
      "      config_files: [\"{0}/{{host}}/nginx.conf\"]\n"
      "      error_log: \"{0}/{{host}}/error.log\"\n",
      layout.dir, script);
  text += fmt::format(
      "    health:\n"
      "      http: \"http://{{address}}:{{port}}/healthz\"\n"
      "      interval: 50ms\n"
      "      timeout: 2s\n"
      "    dependencies:\n"
      "      - {{name: api-gateway, http: \"http://127.0.0.1:{}/healthz\"}}\n",
      layout.gateway_ports[0]);
  text += kPolicy;
  text += fmt::format(
      "\nnotifications:\n"
      "  - kind: webhook\n"
      "    name: receiver\n"
      "    url: \"${{file:{0}}}\"\n"
      "    secret: \"${{file:{1}}}\"\n"
      "\nprober:\n"
      "  url: http://127.0.0.1:{2}/\n"
      "  rate: {3}\n",
      layout.webhook_url_file(), layout.webhook_key_file(), layout.lb_port,
      static_cast<int>(clients_per_s));
  return text;
}

}  // namespace hitless::demo
