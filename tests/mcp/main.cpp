// hitless-mcp-fixture --stdio | --http: the fixture as a server. --http prints its port and ends
// when its standard input does.
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "base/digest.hpp"
#include "fixture_offer.hpp"
#include "mcp/http.hpp"
#include "mcp/stdio.hpp"

namespace hitless::mcp {
namespace {

Task<void> http(Server* server, int* code) {
  auto listening = co_await serve_http(server, {});
  if (!listening) {
    std::fprintf(stderr, "%s\n", describe(listening.error()).c_str());
    *code = 1;
    co_return;
  }
  std::printf("%d\n", (*listening)->port());
  std::fflush(stdout);
  // Ends with whoever started it, however that ends.
  StdioStop never;
  co_await serve_stdio(server, STDIN_FILENO, STDERR_FILENO, &never);
}

}  // namespace
}  // namespace hitless::mcp

int main(int argc, char** argv) {
  using namespace hitless;
  auto offer = mcp::make_fixture_offer();
  mcp::Server server(offer.get(), [] { return random_hex(16); });
  const std::string_view how = argc > 1 ? argv[1] : "";
  int code = 0;
  if (how == "--http") {
    run_until_done([&] { return mcp::http(&server, &code); });
  } else if (how == "--stdio") {
    mcp::StdioStop never;
    run_until_done([&] { return mcp::serve_stdio(&server, STDIN_FILENO, STDOUT_FILENO, &never); });
  } else {
    std::fprintf(stderr, "usage: hitless-mcp-fixture --stdio | --http\n");
    code = 64;
  }
  return code;
}
