#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/replay.hpp"
#include "adapters/journal/schema.hpp"
#include "adapters/journal/signed_head.hpp"
#include "adapters/journal/verify.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "cli/app.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxHeadsBytes = 1 << 20;

// --key and --head.
Result<journal::Trust> trust_of(const Options& options) {
  journal::Trust trust;
  if (!options.audit_key.empty()) {
    auto key = journal::read_public_key(options.audit_key);
    if (!key) return tl::unexpected<Error>(key.error());
    if (!key->has_value()) return fail(ErrorCode::not_found, "no such file", options.audit_key);
    trust.key = std::move(**key);
  }
  if (options.audit_head.empty()) return trust;
  std::string text = options.audit_head;
  if (!text.starts_with("hitless-head ")) {
    const auto file = read_if_there(options.audit_head, kMaxHeadsBytes);
    if (!file) return tl::unexpected<Error>(file.error());
    if (!file->has_value()) {
      return fail(ErrorCode::not_found, "is neither a signed head nor a file", options.audit_head,
                  "give the line that `hitless audit head` printed, or a file of such lines");
    }
    text = **file;
  }
  auto heads = journal::signed_heads_from_text(text);
  if (!heads) {
    Error error = heads.error();
    if (text != options.audit_head) error.where = options.audit_head;
    return tl::unexpected<Error>(std::move(error));
  }
  trust.heads = std::move(*heads);
  return trust;
}

void print_intact(const App& app, const journal::Report& report, const journal::Trust& trust) {
  fmt::print("{} {} entries, chain intact, head {}\n", app.out.paint(Ink::good, app.out.tick()),
             report.entries, report.head.empty() ? "-" : report.head.substr(0, 16));
  if (report.signed_head) {
    fmt::print("{} signed up to entry {} with key {}{}\n", app.out.paint(Ink::good, app.out.tick()),
               report.signed_head->head.seq, report.signed_head->key,
               trust.key ? " (the one given)" : "");
  } else {
    fmt::print("{} not signed: the next rollout signs it\n",
               app.out.paint(Ink::warn, app.out.warning()));
  }
  if (!trust.heads.empty()) {
    fmt::print("{} it is the journal of the {} signed head{} given\n",
               app.out.paint(Ink::good, app.out.tick()), trust.heads.size(),
               trust.heads.size() == 1 ? "" : "s");
  }
  if (!report.sealed) {
    fmt::print("{} not sealed: a rollout is running, or the last writer did not end cleanly\n",
               app.out.paint(Ink::warn, app.out.warning()));
  }
}

int verify(App& app) {
  const auto trust = trust_of(app.options);
  if (!trust) return failed(app, trust.error(), kUsage);
  // Not through open_journal: a journal too damaged to be opened is a finding, not an error of
  // ours.
  auto report = journal::verify_journal(state_dir(app), journal::Depth::full, *trust);
  if (!report) return failed(app, report.error());
  if (app.options.json) {
    fmt::print(R"({{"format_version":1,"intact":{},"entries":{},"head":{},"sealed":{},)"
               R"("signed_up_to":{},"problem":{},"note":{}}})"
               "\n",
               report->intact, report->entries, journal::quote_json(report->head), report->sealed,
               report->signed_head ? std::to_string(report->signed_head->head.seq) : "null",
               journal::quote_json(report->problem), journal::quote_json(report->note));
    return report->intact ? kOk : kError;
  }
  if (report->intact && report->entries == 0) {
    fmt::print("{} there is no journal in {} yet; it begins with the first rollout\n",
               app.out.paint(Ink::warn, app.out.warning()), state_dir(app));
    return kOk;
  }
  if (!report->intact) {
    fmt::print("{} the journal in {} is not what was written: {}\n",
               app.out.paint(Ink::bad, app.out.cross()), state_dir(app),
               escape_for_terminal(report->problem));
    fmt::print(stderr,
               "   = help: keep the folder as evidence, compare with an export made earlier "
               "(`hitless audit export`)\n");
    return kError;
  }
  print_intact(app, *report, *trust);
  return kOk;
}

int head(App& app) {
  const auto line = journal::signed_head_line(state_dir(app));
  if (!line) return failed(app, line.error());
  if (!app.options.json) {
    fmt::print("{}\n", *line);
    return kOk;
  }
  const auto head = journal::signed_head_from_line(*line);
  if (!head) return failed(app, head.error());
  fmt::print(R"({{"format_version":1,"journal":"{}","seq":{},"hash":"{}","at":"{}","key":"{}",)"
             R"("signature":"{}","line":"{}"}})"
             "\n",
             head->journal, head->head.seq, head->head.hash, format_timestamp(head->at_ms),
             head->key, head->signature, *line);
  return kOk;
}

int replay_rollouts(App& app) {
  const std::string dir = app.options.id.empty() ? state_dir(app) : app.options.id;
  const auto report = journal::replay_all(dir);
  if (!report) return failed(app, report.error());
  const bool good = report->problems.empty();
  if (app.options.json) {
    std::string problems;
    for (const std::string& problem : report->problems) {
      problems += (problems.empty() ? "" : ",") + journal::quote_json(problem);
    }
    fmt::print(R"({{"format_version":1,"rollouts":{},"entries":{},"problems":[{}]}})"
               "\n",
               report->rollouts, report->entries, problems);
    return good ? kOk : kError;
  }
  for (const std::string& problem : report->problems) {
    fmt::print("{} {}\n", app.out.paint(Ink::bad, app.out.cross()), escape_for_terminal(problem));
  }
  if (!good) return kError;
  fmt::print("{} {} rollout{}, {} entries: replayed twice, the same state, no rule broken\n",
             app.out.paint(Ink::good, app.out.tick()), report->rollouts,
             report->rollouts == 1 ? "" : "s", report->entries);
  return kOk;
}

int export_lines(App& app) {
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  const Status written =
      (*journal)->export_jsonl(app.options.id, [](std::string_view line) -> Status {
        if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size()) return {};
        return fail(ErrorCode::failed, "stdout could not be written");
      });
  return written ? static_cast<int>(kOk) : failed(app, written.error());
}

}  // namespace

int verb_audit(App& app) {
  const std::string& action = app.options.audit_action;
  if (action == "verify") return verify(app);
  if (action == "head") return head(app);
  if (action == "replay") return replay_rollouts(app);
  return export_lines(app);
}

}  // namespace hitless::cli
