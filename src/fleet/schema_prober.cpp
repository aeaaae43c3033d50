// Tables of `prober:`.
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

constexpr std::int64_t kMaxWeight = 1000;
constexpr std::int64_t kMaxPaths = 64;
constexpr std::int64_t kMaxUrls = 16;

Key weight(std::string name, std::string fallback, std::string about) {
  return key(std::move(name), whole(0, kMaxWeight), std::move(fallback), std::move(about));
}

Type some_urls() {
  const Type url = text(Format::http_url);
  return one_of({url, list(url, 1, kMaxUrls)});
}

}  // namespace

const Table& prober_path_table() {
  static const Table table{
      "prober_path",
      "One path that the prober asks for",
      {needed(key("path", text(Format::url_path), "", "Such as /api?x=1.")),
       weight("weight", "1", "Its share of the requests."),
       also({"body", "contains"}, key("expect", text(Format::text), "",
                                      "Must be in the body of a good answer, else it is lost."))},
      "",
      {},
      {}};
  return table;
}

const Table& prober_mix_table() {
  static const Table table{
      "prober_mix",
      "How the requests are made; numbers are shares. Without it, GETs on new and on kept-alive "
      "connections, one to one",
      {weight("get_new", "0", "GET on a connection of its own."),
       weight("get_kept", "0", "GET on a kept-alive connection."),
       weight("post_new", "0", "POST with a body and a unique id, on a connection of its own."),
       weight("post_kept", "0", "The same on a kept-alive connection."),
       also({"ws"}, weight("websocket", "0",
                           "A message over a long-lived WebSocket, which must come back."))},
      "",
      {},
      {}};
  return table;
}

const Table& prober_table() {
  static const Table table{
      "prober",
      "A steady client that watches from outside",
      {needed(also({"urls"}, key("url", some_urls(), "",
                                 "Asked through the load balancer; of several, each by itself."))),
       also({"rps"}, key("rate", whole(1, 2000), "20", "Requests per second, to each URL.")),
       key("timeout", duration(), "5s", "For one whole answer; at most 2m."),
       key("paths", list(object(prober_path_table()), 1, kMaxPaths), "",
           "What is asked for; default: the path of the URL."),
       key("mix", object(prober_mix_table()), "", "How the requests are made."),
       key("post_path", text(Format::url_path), "", "Of all POSTs; default: paths."),
       key("post_bytes", whole(0, 16 * 1024), "256", "Size of a POST's body."),
       also({"ws_path"}, key("websocket_path", text(Format::url_path), "",
                             "Of the WebSockets, which must echo; default: paths.")),
       also({"ca"}, key("ca_file", text(Format::path), "",
                        "CA bundle for https, instead of the system's.")),
       also({"verify"}, key("verify_tls", boolean(), "true",
                            "Whether the certificate's chain and name must be right.")),
       also({"host_header"}, key("host", text(Format::visible), "",
                                 "Host header and TLS name; default: as in the URL.")),
       key("server_header", text(Format::header), "X-Host",
           "Header of an answer that names the host or instance it came from."),
       key("id_header", text(Format::header), "X-Hitless-Probe",
           "Header of a POST with its unique id."),
       also({"connections"},
            key("kept_connections", whole(1, 1024), "8", "Kept-alive connections.")),
       key("executions_url",
           text(Format::http_url, {"address", "port", "host", "service", "prefix"}), "",
           "Asked of each instance at the end: how often it executed each POST."),
       key("baseline", duration(), "",
           "Watched before anything is touched; default: as short as gives 20 requests."),
       key("soak", duration(), "1s", "Watched on after the last instance; at most 1h."),
       also({"service"}, key("services", one_or_list(text(Format::name)), "",
                             "Only rollouts of these are watched; default: of all services."))},
      "",
      {},
      {}};
  return table;
}

}  // namespace hitless::fleet
