#include <fmt/format.h>

#include "adapters/journal/verify.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"

namespace hitless::cli {
namespace {

int verify(App& app) {
  // Not through open_journal: a journal too damaged to be opened is a finding, not an error of
  // ours.
  auto report = journal::verify_journal(state_dir(app));
  if (!report) return failed(app, report.error());
  if (report->intact && report->entries == 0) {
    fmt::print("{} there is no journal in {} yet; it begins with the first rollout\n",
               app.out.paint(Ink::warn, app.out.warning()), state_dir(app));
    return kOk;
  }
  if (!report->intact) {
    fmt::print("{} the journal in {} was altered: {}\n", app.out.paint(Ink::bad, app.out.cross()),
               state_dir(app), escape_for_terminal(report->problem));
    fmt::print(stderr,
               "   = help: keep the folder as evidence, compare with an export made earlier "
               "(`hitless audit export`)\n");
    return kError;
  }
  fmt::print("{} {} entries, chain intact, head {}\n", app.out.paint(Ink::good, app.out.tick()),
             report->entries, report->head.empty() ? "-" : report->head.substr(0, 16));
  if (!report->sealed) {
    fmt::print("{} not sealed: a rollout is running, or the last writer did not end cleanly\n",
               app.out.paint(Ink::warn, app.out.warning()));
  }
  return kOk;
}

}  // namespace

int verb_audit(App& app) {
  if (app.options.audit_action == "verify") return verify(app);
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  const Status written =
      (*journal)->export_jsonl(app.options.id, [](std::string_view line) -> Status {
        if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return {};
        return fail(ErrorCode::failed, "stdout could not be written");
      });
  return written ? static_cast<int>(kOk) : failed(app, written.error());
}

}  // namespace hitless::cli
