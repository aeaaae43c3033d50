#include "witness/certificate.hpp"

#include "base/text.hpp"
#include "witness/certify_parts.hpp"

namespace hitless::witness {

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::confirmed:
      return "confirmed";
    case Verdict::refuted:
      return "refuted";
    case Verdict::unknown:
      return "unknown";
  }
  return "?";
}

const char* name_of(Blame blame) {
  switch (blame) {
    case Blame::ours:
      return "ours";
    case Blame::baseline:
      return "baseline";
    case Blame::undecidable:
      return "undecidable";
    case Blame::before:
      return "before";
  }
  return "?";
}

namespace {

// The rollout as all probers were told it: from the first start to the last end.
void find_window(const CertificateInput& input, Certificate* out, Findings* findings) {
  for (const ProberRecord& prober : input.probers) {
    const auto from = start_of(prober.seen.marks, Window::rollout);
    const auto to = start_of(prober.seen.marks, Window::after);
    if (!from || !to || prober.seen.marks_dropped > 0) {
      findings->doubts.push_back(prober.name + " was not told when the rollout began and ended");
      continue;
    }
    out->from_ms = out->from_ms == 0 ? *from : std::min(out->from_ms, *from);
    out->to_ms = std::max(out->to_ms, *to);
  }
}

std::string all_good(const Certificate& c) {
  std::string text = fmt::format("{} requests in rollout and soak, 0 lost", c.sent);
  if (c.subtracted > 0)
    text +=
        fmt::format("; {} failed as before on instances that we did not touch then", c.subtracted);
  return text;
}

}  // namespace

Certificate certify(const CertificateInput& input) {
  Certificate out;
  Findings findings;
  if (input.probers.empty()) findings.doubts.emplace_back("no prober ran");
  find_window(input, &out, &findings);
  judge_losses(input, &out, &findings);
  judge_executions(input, &out, &findings);
  judge_probers(input, out, &findings);
  judge_counters(input, &out, &findings);

  out.reasons = findings.refuting;
  out.reasons.insert(out.reasons.end(), findings.doubts.begin(), findings.doubts.end());
  out.verdict = !findings.refuting.empty() ? Verdict::refuted
                : !findings.doubts.empty() ? Verdict::unknown
                                           : Verdict::confirmed;
  if (out.verdict == Verdict::confirmed) out.reasons.push_back(all_good(out));
  for (std::string& reason : out.reasons) reason = escape_for_terminal(reason);
  for (std::string& remark : out.remarks) remark = escape_for_terminal(remark);
  return out;
}

}  // namespace hitless::witness
