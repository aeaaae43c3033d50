// Losses: when, where, and whether they are ours.
#include <set>
#include <tuple>

#include "base/text.hpp"
#include "witness/certify_parts.hpp"
#include "witness/noise.hpp"

namespace hitless::witness {

using core::PhaseName;

namespace {

// Failures are of one sort when a client could not tell them apart.
using Signature = std::tuple<std::string, std::string, LossKind, int>;

Signature signature_of(const std::string& prober, const Loss& loss) {
  return {prober, loss.path, loss.kind, loss.status};
}

TimeMs ended(const Loss& loss) {
  return loss.at_ms + loss.after_us / 1000;
}

// A connection is lost when it breaks; what waited in vain was lost when it was sent.
TimeMs moment_of(const Loss& loss) {
  switch (loss.kind) {
    case LossKind::refused:
    case LossKind::timeout:
      return loss.at_ms;
    case LossKind::http_5xx:
      return loss.status == 502 ? ended(loss) : loss.at_ms;
    default:
      return ended(loss);
  }
}

// "web@web01" and an answer from "web01", or from "web@web01".
bool is_of(const std::string& server, const std::string& instance) {
  if (server.empty()) return false;
  const std::size_t at = instance.find('@');
  return server == instance || (at != std::string::npos && server == instance.substr(at + 1));
}

std::vector<Where> places(const std::vector<Mark>& marks, const CertifiedLoss& lost) {
  std::vector<Where> all = in_work_at(marks, lost.moment_ms);
  if (all.empty()) all = in_work_at(marks, lost.loss.at_ms);
  if (all.empty()) all = in_work_at(marks, ended(lost.loss));
  for (const Where& where : all)
    if (is_of(lost.loss.server, where.instance)) return {where};
  return all;
}

// It was answered by an instance of the service that was in work at no time of it.
bool from_untouched(const CertificateInput& input, const std::vector<Mark>& marks,
                    const Loss& loss) {
  for (const std::string& instance : input.instances)
    if (is_of(loss.server, instance)) return !was_in_work(marks, instance, loss.at_ms, ended(loss));
  return false;
}

struct Sort {  // all losses of one signature
  std::int64_t before = 0;
  std::vector<CertifiedLoss*> now;
};

struct Exposure {
  std::int64_t before = 0, now = 0;
  std::map<PhaseName, std::int64_t> by_phase;
};

// More than before: in the whole rollout, or in any one phase (a burst drowns in the whole).
bool more(const Sort& sort, const Exposure& exposure, double false_alarm) {
  const Rate before{sort.before, exposure.before};
  if (more_than_before(before, {static_cast<std::int64_t>(sort.now.size()), exposure.now},
                       false_alarm))
    return true;
  std::map<PhaseName, std::int64_t> by_phase;
  for (const CertifiedLoss* lost : sort.now) {
    std::set<PhaseName> phases;
    for (const Where& where : lost->where) phases.insert(where.phase);
    for (const PhaseName phase : phases) ++by_phase[phase];
  }
  for (const auto& [phase, events] : by_phase) {
    const auto sent = exposure.by_phase.find(phase);
    const std::int64_t n = sent == exposure.by_phase.end() ? 0 : sent->second;
    if (more_than_before(before, {events, n}, false_alarm)) return true;
  }
  return false;
}

void blame_sort(const CertificateInput& input, const std::vector<Mark>& marks, const Sort& sort,
                bool is_more) {
  for (CertifiedLoss* lost : sort.now) {
    lost->blame = is_more                                    ? Blame::ours
                  : from_untouched(input, marks, lost->loss) ? Blame::baseline
                                                             : Blame::undecidable;
  }
}

void judge_prober(const CertificateInput& input, const ProberRecord& prober, Certificate* out,
                  std::vector<CertifiedLoss>* losses) {
  const std::vector<Mark>& marks = prober.seen.marks;
  auto windows = by_window(marks, prober.seen.now);
  Exposure exposure;
  exposure.before = windows[Window::baseline].sent;
  exposure.now = windows[Window::rollout].sent + windows[Window::soak].sent;
  exposure.by_phase = sent_by_phase(marks, prober.seen.now);
  out->sent += exposure.now;
  out->baseline_sent += exposure.before;

  for (const Loss& loss : prober.seen.recent_losses) {
    CertifiedLoss lost;
    lost.loss = loss;
    lost.prober = prober.name;
    lost.moment_ms = moment_of(loss);
    lost.window = window_at(marks, lost.moment_ms);
    if (lost.window == Window::after) lost.window = window_at(marks, loss.at_ms);
    // In flight when the rollout began: it could be ours, so it is not noise of before.
    if (lost.window == Window::baseline) lost.window = window_at(marks, ended(loss));
    if (lost.window == Window::after) continue;  // sent when all was over
    lost.where = places(marks, lost);
    losses->push_back(std::move(lost));
  }
  std::map<Signature, Sort> sorts;
  for (CertifiedLoss& lost : *losses) {
    Sort& sort = sorts[signature_of(prober.name, lost.loss)];
    if (lost.window == Window::baseline) {
      lost.blame = Blame::before;
      ++sort.before;
    } else {
      sort.now.push_back(&lost);
    }
  }
  // One alarm level for the certificate: shared out over all tests that are made.
  const double tests = static_cast<double>(std::max<std::size_t>(1, sorts.size())) *
                       static_cast<double>(1 + exposure.by_phase.size()) *
                       static_cast<double>(input.probers.size());
  // A prober that never worked (a certificate that is not accepted, a wrong name) proves nothing.
  const Stretch& baseline = windows[Window::baseline];
  const bool never_worked = baseline.sent >= input.rules.min_baseline && baseline.ok == 0;
  for (const auto& [signature, sort] : sorts)
    blame_sort(input, marks, sort,
               !never_worked && more(sort, exposure, input.rules.false_alarm / tests));
}

}  // namespace

void judge_losses(const CertificateInput& input, Certificate* out, Findings* findings) {
  for (const ProberRecord& prober : input.probers) {
    std::vector<CertifiedLoss> losses;
    judge_prober(input, prober, out, &losses);
    out->losses.insert(out->losses.end(), losses.begin(), losses.end());
    if (prober.seen.losses_forgotten > 0)
      findings->refuting.push_back(fmt::format("{}: {} more losses than are kept", prober.name,
                                               prober.seen.losses_forgotten));
  }
  std::sort(
      out->losses.begin(), out->losses.end(),
      [](const CertifiedLoss& a, const CertifiedLoss& b) { return a.moment_ms < b.moment_ms; });
  std::int64_t ours = 0, undecidable = 0;
  std::map<LossKind, std::int64_t> kinds;
  for (const CertifiedLoss& lost : out->losses) {
    if (lost.blame == Blame::ours) ++kinds[lost.loss.kind];
    ours += lost.blame == Blame::ours ? 1 : 0;
    undecidable += lost.blame == Blame::undecidable ? 1 : 0;
    out->subtracted += lost.blame == Blame::baseline ? 1 : 0;
    out->baseline_lost += lost.blame == Blame::before ? 1 : 0;
  }
  out->lost = ours + undecidable;
  if (ours > 0) {
    std::vector<std::string> parts;
    for (const auto& [kind, count] : kinds)
      parts.push_back(fmt::format("{} {}", count, name_of(kind)));
    findings->refuting.push_back(
        fmt::format("{} of {} requests lost: {}", ours, out->sent, join(parts, ", ")));
  }
  if (undecidable > 0)
    findings->doubts.push_back(fmt::format(
        "{} requests failed in a way that was there before, at that rate: they may be ours or not",
        undecidable));
}

void judge_executions(const CertificateInput& input, Certificate* out, Findings* findings) {
  if (!input.executions) return;
  for (const std::string& problem : input.executions->problems)
    findings->doubts.push_back("executions of POSTs not known: " + problem);
  for (const ProberRecord& prober : input.probers) {
    const std::string prefix = prober.seen.id_prefix + "-";
    std::int64_t first = 0;
    for (const Mark& mark : prober.seen.marks)
      if (mark.window == Window::rollout) first = mark.arrivals;
    for (const auto& [id, times] : input.executions->times) {
      if (times < 2 || id.rfind(prefix, 0) != 0) continue;
      // In flight when the rollout began counts as well: a second earlier, at most.
      const std::int64_t arrival = std::strtoll(id.c_str() + prefix.size(), nullptr, 10);
      if (static_cast<double>(arrival) <= static_cast<double>(first) - prober.rate_per_s) continue;
      const auto where = input.executions->where.find(id);
      out->duplicates.push_back(
          {id, times,
           where == input.executions->where.end() ? std::vector<std::string>{} : where->second});
    }
  }
  if (!out->duplicates.empty())
    findings->refuting.push_back(
        fmt::format("{} POSTs were executed more than once: a retry hid "
                    "a loss by doing the work again",
                    out->duplicates.size()));
}

}  // namespace hitless::witness
