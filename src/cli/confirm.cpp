#include "cli/confirm.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

namespace hitless::cli {

std::optional<int> confirm(const App& app) {
  if (app.options.yes) return std::nullopt;
  const bool can_ask = isatty(STDIN_FILENO) == 1 && app.err.is_tty && !app.options.no_input;
  if (!can_ask) {
    return failed(app,
                  Error{ErrorCode::refused,
                        "nobody here to confirm",
                        {},
                        "pass --yes to go ahead without asking"},
                  kUsage);
  }
  fmt::print(stderr, "Go ahead? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return std::nullopt;
  fmt::print(stderr, "Nothing was done.\n");
  return kAborted;
}

}  // namespace hitless::cli
