#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/narrate.hpp"

namespace hitless::cli {
namespace {

// The same change on several hosts is shown once.
void print_diff(const App& app, const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = escape_for_terminal(text.substr(at, end - at));
    Ink ink = Ink::plain;
    if (line.rfind("+++", 0) == 0 || line.rfind("---", 0) == 0)
      ink = Ink::bold;
    else if (line.rfind('+', 0) == 0)
      ink = Ink::good;
    else if (line.rfind('-', 0) == 0)
      ink = Ink::bad;
    else if (line.rfind("@@", 0) == 0)
      ink = Ink::dim;
    fmt::print("{}\n", app.out.paint(ink, line));
    at = end + 1;
  }
}

}  // namespace

int verb_diff(App& app) {
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  auto found = replay(**journal, app.options.id);
  if (!found) return failed(app, found.error());
  std::vector<std::pair<std::string, std::string>> diffs;  // text, hosts
  for (const core::Instance& instance : found->state.instances) {
    if (!instance.report || instance.report->diff.empty()) continue;
    const std::string host = host_part(instance.plan.id);
    const auto same = std::find_if(diffs.begin(), diffs.end(),
                                   [&](const auto& d) { return d.first == instance.report->diff; });
    if (same != diffs.end())
      same->second += ", " + host;
    else
      diffs.emplace_back(instance.report->diff, host);
  }
  if (app.options.json) {
    for (const auto& [text, hosts] : diffs)
      fmt::print(R"({{"format_version":1,"rollout":{},"hosts":{},"summary":{},"diff":{}}})"
                 "\n",
                 journal::quote_json(app.options.id), journal::quote_json(hosts),
                 journal::quote_json(found->state.plan.change_summary), journal::quote_json(text));
    return kOk;
  }
  if (diffs.empty()) fmt::print(stderr, "{} changed no configuration.\n", app.options.id);
  for (const auto& [text, hosts] : diffs) {
    fmt::print("{}\n",
               app.out.paint(Ink::bold, "# " + hosts + ": " +
                                            escape_for_terminal(found->state.plan.change_summary)));
    print_diff(app, text);
  }
  return kOk;
}

}  // namespace hitless::cli
