// report: a rollout as one static HTML file; with --json its certificate.
#include <fmt/format.h>

#include <filesystem>

#include "cli/app.hpp"
#include "cli/certificate_store.hpp"
#include "cli/pick_rollout.hpp"
#include "cli/report_store.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

// A rollout that still runs has no kept one.
Result<std::string> report_of(const App& app, ports::Journal& journal, const std::string& id) {
  auto kept = kept_report(state_dir(app), id);
  if (kept && *kept) return std::move(**kept);
  if (!kept) print_error(app, kept.error());  // then it is made anew
  auto found = replay(journal, id);
  if (!found) return tl::unexpected<Error>(found.error());
  return make_report(found->state, found->entries, get_certificate(journal, id), {});
}

int print_certificate(const App& app, ports::Journal& journal, const std::string& id) {
  const auto certificate = get_certificate(journal, id);
  if (!certificate) {
    return failed(app, Error{ErrorCode::not_found,
                             "no certificate of " + id + ": no prober watched it to its end",
                             {},
                             "see `prober:` in docs/fleet-file.md"});
  }
  fmt::print("{}\n", stored_certificate(*certificate));
  return kOk;
}

}  // namespace

int verb_report(App& app) {
  auto row = pick_rollout(app, Pick::any);
  if (!row) return failed(app, row.error());
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  if (app.options.json) return print_certificate(app, **journal, row->rollout);
  auto html = report_of(app, **journal, row->rollout);
  if (!html) return failed(app, html.error());
  if (app.options.out == "-") {
    std::fwrite(html->data(), 1, html->size(), stdout);
    return kOk;
  }
  const std::string path = app.options.out.empty() ? row->rollout + ".html" : app.options.out;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return failed(app, Error{ErrorCode::invalid, "is a folder", path, "name a file"}, kUsage);
  if (Status written = write_durably(path, *html); !written) return failed(app, written.error());
  fmt::print("{}\n", path);
  return kOk;
}

}  // namespace hitless::cli
