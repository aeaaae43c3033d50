#include "cli/waiting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kLeast = 12;

}  // namespace

Waiting::Waiting(const App& app, const std::string& text) {
  if (app.options.json || app.options.progress == ProgressKind::quiet) return;
  const char* kind = std::getenv("TERM");
  to_erase_ = app.err.is_tty && kind != nullptr && std::string_view(kind) != "dumb";
  // A line that wraps would be erased only in part.
  const std::size_t room = to_erase_ ? static_cast<std::size_t>(app.err.width) - 5 : text.size();
  const std::string shown =
      app.err.plain(truncate_utf8(escape_for_terminal(text), std::max(room, kLeast)) + "…");
  fmt::print(stderr, "{}{}", app.err.paint(Ink::dim, shown), to_erase_ ? "" : "\n");
  std::fflush(stderr);
}

void Waiting::done() {
  if (!to_erase_) return;
  to_erase_ = false;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace hitless::cli
