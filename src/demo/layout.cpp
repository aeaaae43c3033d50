#include "demo/layout.hpp"

namespace hitless::demo {

namespace {

// nginx sends the first second's share at once, so a file of (1 + t) shares takes t seconds.
constexpr std::size_t kBytesPerSecond = 16 * 1024;

std::string nginx_frame(const Layout& layout, const std::string& name) {
  const std::string home = layout.home(name);
  // Without `user`, workers of root would be nobody and could not enter our folder.
  return fmt::format(
      "{0}daemon on;\n"
      "worker_processes 1;\n"
      "pid {1}/nginx.pid;\n"
      "error_log {1}/error.log notice;\n"
      "worker_shutdown_timeout 15s;\n"
      "events {{ worker_connections 1024; }}\n",
      layout.as_root ? "user root;\n" : "", home);
}

std::string http_frame(const Layout& layout, const std::string& name) {
  const std::string home = layout.home(name);
  return fmt::format(
      "    access_log off;\n"
      "    default_type text/plain;\n"
      "    client_body_temp_path {0}/tmp/body;\n"
      "    proxy_temp_path {0}/tmp/proxy;\n"
      "    fastcgi_temp_path {0}/tmp/fastcgi;\n"
      "    uwsgi_temp_path {0}/tmp/uwsgi;\n"
      "    scgi_temp_path {0}/tmp/scgi;\n",
      home);
}

std::string pool_servers(const Layout& layout, ConfigSource which) {
  const auto& p = layout.gateway_ports;
  std::vector<std::uint16_t> ports = {p[0], p[1]};
  if (which == ConfigSource::good) ports = {p[0], p[1], p[2]};
  if (which == ConfigSource::sabotaged) ports = {layout.dead_port};
  std::string lines;
  for (const std::uint16_t port : ports)
    lines += fmt::format("        server 127.0.0.1:{};\n", port);
  return lines;
}

}  // namespace

const char* name_of(ConfigSource source) {
  switch (source) {
    case ConfigSource::initial:
      return "initial";
    case ConfigSource::good:
      return "good";
    case ConfigSource::sabotaged:
      return "sabotaged";
  }
  return "?";
}

const std::vector<Download>& downloads() {
  static const std::vector<Download> files = {{"half-a-second", kBytesPerSecond * 3 / 2},
                                              {"one-second", kBytesPerSecond * 2},
                                              {"one-and-a-half", kBytesPerSecond * 5 / 2},
                                              {"two-seconds", kBytesPerSecond * 3}};
  return files;
}

std::string Layout::source(ConfigSource which, const std::string& host) const {
  return fmt::format("{}/sources/{}/{}.conf", dir, name_of(which), host);
}

std::string web_config(const Layout& layout, std::size_t host, ConfigSource which) {
  const std::string& name = layout.hosts[host];
  return nginx_frame(layout, name) + "http {\n" + http_frame(layout, name) +
         "    upstream api_pool {\n" + pool_servers(layout, which) + "    }\n" +
         fmt::format(
             "    server {{\n"
             "        listen 127.0.0.1:{0};\n"
             "        add_header X-Host {1} always;\n"
             "        add_header X-Upstream $upstream_addr always;\n"
             "        proxy_connect_timeout 1s;\n"
             "        proxy_read_timeout 5s;\n"
             "        proxy_next_upstream off;\n"
             "        location / {{\n"
             "            proxy_pass http://api_pool;\n"
             "        }}\n"
             "        location /download/ {{\n"
             "            root {2}/files;\n"
             "            limit_rate {3};\n"
             "        }}\n"
             "    }}\n"
             "}}\n",
             layout.host_ports[host], name, layout.dir, kBytesPerSecond);
}

std::string gateway_config(const Layout& layout) {
  std::string listens;
  for (const std::uint16_t port : layout.gateway_ports)
    listens += fmt::format("        listen 127.0.0.1:{};\n", port);
  return nginx_frame(layout, "api-gateway") + "http {\n" + http_frame(layout, "api-gateway") +
         "    server {\n" + listens +
         "        location = /healthz { return 200 \"ok\\n\"; }\n"
         "        location / { return 200 \"api-gateway on port $server_port\\n\"; }\n"
         "    }\n"
         "}\n";
}

// retries 0 and no redispatch: HAProxy must not repair a restart behind our back, the client that
// counts is to see every loss.
std::string lb_config(const Layout& layout) {
  std::string text = fmt::format(
      "global\n"
      "    maxconn 4000\n"
      "    nbthread 1\n"
      "    stats socket {0} mode 600 level admin expose-fd listeners\n"
      "    stats timeout 30s\n"
      "    hard-stop-after 30s\n"
      "defaults\n"
      "    mode http\n"
      "    option http-keep-alive\n"
      "    retries 0\n"
      "    timeout connect 2s\n"
      "    timeout client 30s\n"
      "    timeout server 10s\n"
      "    timeout queue 2s\n"
      "    timeout check 1s\n"
      "frontend fe_web\n"
      "    bind 127.0.0.1:{1}\n"
      "    default_backend be_web\n"
      "backend be_web\n"
      "    balance roundrobin\n"
      "    option httpchk\n"
      "    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host demo\n"
      "    http-check expect status 200\n"
      "    default-server check inter 200ms fastinter 100ms downinter 200ms rise 2 fall 2\n",
      layout.admin_socket(), layout.lb_port);
  for (std::size_t i = 0; i < layout.hosts.size(); ++i)
    text += fmt::format("    server {} 127.0.0.1:{}\n", layout.hosts[i], layout.host_ports[i]);
  return text;
}

std::string service_script(const Layout& layout) {
  return fmt::format(R"sh(#!/bin/sh
# svc.sh test|start|reload|restart|stop|status NAME [CONFIG]: one nginx of the demo, as a service.
home={0}/$2
conf=${{3:-$home/nginx.conf}}
cd "$home" || exit 1
nginx() {{ {1} -p "$home/" -e "$home/error.log" -c "$conf" "$@" </dev/null; }}
# A dead process that nobody has reaped yet does not run.
running() {{
  pid=$(cat nginx.pid 2>/dev/null) && [ -n "$pid" ] || return 1
  state=$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) && [ "$state" != Z ]
}}
stop() {{
  running || return 0
  kill -s QUIT "$pid"
  tries=0
  while running; do
    tries=$((tries + 1))
    [ "$tries" -ne 400 ] || kill -s TERM "$pid"
    [ "$tries" -lt 500 ] || {{ echo "$2 does not stop" >&2; return 1; }}
    sleep 0.02
  done
}}
case $1 in
  test) nginx -t -q ;;
  start) running || nginx ;;
  reload) running && kill -s HUP "$pid" ;;
  stop) stop "$@" ;;
  restart) stop "$@" && nginx ;;
  status) running && echo "running, pid $pid" ;;
  *) echo "unknown action: $1" >&2; exit 64 ;;
esac
)sh",
                     layout.dir, layout.nginx);
}

}  // namespace hitless::demo
