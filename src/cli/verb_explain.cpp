#include <fmt/format.h>

#include "cli/app.hpp"
#include "fleet/diagnostics.hpp"

namespace hitless::cli {

int verb_explain(App& app) {
  if (app.options.id.empty()) {
    for (const std::string& code : fleet::explained_codes()) {
      const std::string text = fleet::explain(code);
      fmt::print("{}\n", text.substr(0, text.find('\n')));
    }
    return kOk;
  }
  std::string code = app.options.id;
  for (char& c : code) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const std::string text = fleet::explain(code);
  if (text.empty()) {
    return failed(app,
                  Error{ErrorCode::not_found,
                        "no error code `" + app.options.id + "`",
                        {},
                        "`hitless explain` lists them all"},
                  kUsage);
  }
  fmt::print("{}{}", app.out.plain(text), text.back() == '\n' ? "" : "\n");
  return kOk;
}

}  // namespace hitless::cli
