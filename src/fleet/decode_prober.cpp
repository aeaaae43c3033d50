// Probers, and what their keys must not say.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

constexpr DurationMs kMaxTimeoutMs = 120'000;
constexpr DurationMs kMaxBaselineMs = 600'000;
constexpr DurationMs kMaxSoakMs = 3'600'000;

int small(const Reader& reader, std::string_view key) {
  return static_cast<int>(reader.whole(key));
}

std::string path_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t at = url.find_first_of("/?#", scheme == std::string::npos ? 0 : scheme + 3);
  if (at == std::string::npos) return "/";
  const std::string path = url.substr(at, url.find('#') - at);
  return path.empty() || path[0] != '/' ? "/" + path : path;
}

void read_paths(const LoadContext& context, const Reader& reader, Prober* made) {
  const Node* paths = reader.node("paths");
  if (paths == nullptr || paths->kind != Node::Kind::list) {
    made->paths.push_back({path_of(made->url), 1, {}});
    return;
  }
  int total = 0;
  for (const Node& each : paths->items) {
    const Reader path(each, prober_path_table());
    made->paths.push_back({path.text("path"), small(path, "weight"), path.text("expect")});
    total += made->paths.back().weight;
  }
  if (total == 0) context.error("HL0108", paths->span, "no path has a weight above 0");
  if (path_of(made->url) != "/")
    context.error("HL0115", reader.span("url"), "the URL has a path, and there are `paths` too",
                  "end it after the host");
}

void read_mix(const LoadContext& context, const Reader& reader, Prober* made) {
  const Node* given = reader.node("mix");
  if (given == nullptr) return;
  const Reader mix = reader.object("mix", prober_mix_table());
  made->mix = {small(mix, "get_new"), small(mix, "get_kept"), small(mix, "post_new"),
               small(mix, "post_kept"), small(mix, "websocket")};
  const auto& m = made->mix;
  const bool none = m.get_new + m.get_kept + m.post_new + m.post_kept + m.websocket == 0;
  const auto& keys = prober_mix_table().keys;
  const auto is_given = [&](const Key& key) { return given->find(key.name) != nullptr; };
  // What is misspelt was complained about already.
  if (none && std::any_of(keys.begin(), keys.end(), is_given))
    context.error("HL0108", reader.span("mix"), "nothing in the mix has a share above 0");
}

void check_limits(const LoadContext& context, const Reader& reader, const Prober& made) {
  const auto at_most = [&](const char* key, DurationMs value, DurationMs most) {
    if (value > most)
      context.error("HL0108", reader.span(key), fmt::format("`{}` is too long", key),
                    "at most " + format_duration(most));
  };
  at_most("timeout", made.timeout_ms, kMaxTimeoutMs);
  at_most("soak", made.soak_ms, kMaxSoakMs);
  if (made.timeout_ms < 1)
    context.error("HL0108", reader.span("timeout"), "`timeout` must be at least 1ms");
  if (!made.baseline_ms) return;
  at_most("baseline", *made.baseline_ms, kMaxBaselineMs);
  if (*made.baseline_ms * made.rate < 20'000)
    context.warning("HL0213", reader.span("baseline"),
                    "the baseline has fewer than 20 requests: nothing could ever be confirmed",
                    fmt::format("at {}/s it takes {}", made.rate,
                                format_duration((20'000 + made.rate - 1) / made.rate)));
}

void check_idle_keys(const LoadContext& context, const Reader& reader, const Prober& made) {
  const auto idle = [&](const char* key, const char* why) {
    if (reader.node(key) != nullptr)
      context.warning("HL0213", reader.span(key), fmt::format("`{}` has no effect", key), why);
  };
  if (made.mix.post_new + made.mix.post_kept == 0)
    for (const char* key : {"post_path", "post_bytes", "executions_url", "id_header"})
      idle(key, "there are no POSTs in `mix`");
  if (made.mix.websocket == 0) idle("websocket_path", "there is no websocket in `mix`");
  if (made.url.rfind("https://", 0) != 0)
    for (const char* key : {"ca_file", "verify_tls"}) idle(key, "the URL is not https");
}

void check_services(const LoadContext& context, const Reader& reader, const Prober& made) {
  std::vector<std::string> known;
  for (const auto& [name, service] : context.fleet.services) known.push_back(name);
  for (const std::string& name : made.services) {
    if (context.fleet.services.count(name) > 0) continue;
    const std::string meant = nearest(name, known);
    context.error("HL0214", reader.span("services"),
                  fmt::format("service `{}` is not defined", escape_for_terminal(name)),
                  meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
  }
}

Prober decode_prober(const LoadContext& context, const Node& node, const std::string& url) {
  const Reader reader(node, prober_table());
  Prober made;
  made.mark = context.mark(node.span);
  made.url = url;
  made.rate = small(reader, "rate");
  made.timeout_ms = reader.duration("timeout");
  made.post_path = reader.text("post_path");
  made.post_bytes = small(reader, "post_bytes");
  made.websocket_path = reader.text("websocket_path");
  if (auto ca = reader.optional_text("ca_file")) made.ca_file = context.path_from_here(*ca);
  made.verify_tls = reader.flag("verify_tls");
  made.host = reader.text("host");
  made.server_header = reader.text("server_header");
  made.id_header = reader.text("id_header");
  made.kept_connections = small(reader, "kept_connections");
  made.executions_url = reader.text("executions_url");
  if (reader.node("baseline") != nullptr) made.baseline_ms = reader.duration("baseline");
  made.soak_ms = reader.duration("soak");
  made.services = reader.words("services");
  read_paths(context, reader, &made);
  read_mix(context, reader, &made);
  return made;
}

void decode_all_urls(LoadContext& context, const Node& node) {
  const Reader reader(node, prober_table());
  const std::vector<std::string> urls = reader.words("url");
  for (const std::string& url : urls) {
    const Prober made = decode_prober(context, node, url);
    if (&url == &urls.front()) {  // what is wrong is wrong once
      check_limits(context, reader, made);
      check_idle_keys(context, reader, made);
      check_services(context, reader, made);
    }
    context.fleet.probers.push_back(made);
  }
}

}  // namespace

void decode_probers(LoadContext& context) {
  const Node* all = context.root.find("prober");
  if (all == nullptr) return;
  if (all->kind == Node::Kind::map) decode_all_urls(context, *all);
  if (all->kind == Node::Kind::list)
    for (const auto& item : all->items) decode_all_urls(context, item);
}

}  // namespace hitless::fleet
