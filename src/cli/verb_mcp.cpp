// mcp: the agents' tools over the Model Context Protocol, on standard input and output or on HTTP.
#include <unistd.h>

#include "base/digest.hpp"
#include "cli/approvals.hpp"
#include "cli/listen_address.hpp"
#include "cli/mcp_offer.hpp"
#include "cli/tools.hpp"
#include "mcp/http.hpp"
#include "mcp/stdio.hpp"
#include "runtime/signals.hpp"

namespace hitless::cli {
namespace {

constexpr const char* kTokenVariable = "HITLESS_MCP_TOKEN";
constexpr DurationMs kForEverMs = 1000LL * 3600 * 24 * 365;

agent::Allow allow_named(const std::string& name) {
  if (name == "act") return agent::Allow::act;
  return name == "propose" ? agent::Allow::propose : agent::Allow::read;
}

Task<void> listen(const App* app, mcp::Server* server, mcp::HttpOptions options, int* code) {
  auto stop = std::make_shared<Signal>();
  auto catcher = co_await SignalCatcher::start([stop](int) { stop->notify(); });
  const std::string address = options.address.find(':') == std::string::npos
                                  ? options.address
                                  : "[" + options.address + "]";
  auto listening = co_await mcp::serve_http(server, std::move(options));
  if (!listening) {
    *code = failed(*app, listening.error());
    co_return;
  }
  std::fprintf(stderr, "Listening on http://%s:%d/mcp (--allow %s)\n", address.c_str(),
               (*listening)->port(), app->options.mcp_allow.c_str());
  while (!co_await stop->wait_for(kForEverMs)) {
  }
}

Task<void> speak(mcp::Server* server) {
  auto stop = std::make_shared<mcp::StdioStop>();
  auto catcher = co_await SignalCatcher::start([stop](int) { stop->stop(); });
  co_await mcp::serve_stdio(server, STDIN_FILENO, STDOUT_FILENO, stop.get());
}

}  // namespace

int verb_mcp(App& app) {
  ToolWorld world(app);
  const agent::Registry registry = make_tools(&world);
  const auto offer =
      make_tool_offer(&registry, {"agent mcp", person_name(), allow_named(app.options.mcp_allow)});
  mcp::Server server(offer.get(), [] { return random_hex(16); });
  int code = kOk;
  if (app.options.mcp_http.empty()) {
    run_until_done([&] { return speak(&server); });
    return code;
  }
  auto options =
      listen_at(app.options.mcp_http, kTokenVariable, "hitless mcp --http 127.0.0.1:8931");
  if (!options) return failed(app, options.error(), kUsage);
  run_until_done([&] { return listen(&app, &server, *options, &code); });
  return code;
}

}  // namespace hitless::cli
