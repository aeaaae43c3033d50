// The verdict on "no client noticed": all sources reconciled. docs/certificate.md states the rules
// and how often they are wrong; this file and certify_*.cpp are their only home.
//
// Pure functions of their input. Rules that always hold: `confirmed` is never said when a request
// was lost in the rollout and not shown to be of the kind that failed before; unknown is never
// taken for good; every verdict but `confirmed` has a reason for each thing that stands against it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "witness/counters.hpp"
#include "witness/executions.hpp"
#include "witness/prober.hpp"

namespace hitless::witness {

struct ProberRecord {
  std::string name;  // "http://shop.example/": for people, and to tell two probers apart
  double rate_per_s = 20;
  ProberSnapshot seen;  // after stop()
};

struct CertificateRules {
  std::int64_t min_baseline = 20;     // requests in the baseline
  std::int64_t min_rollout = 20;      // and in rollout and soak
  std::int64_t min_per_instance = 5;  // and while each instance was in work
  DurationMs longest_gap_ms = 1000;   // without a request; or 10 intervals, if that is more
  double false_alarm = 0.01;          // of the test "more than before", over all its uses
  double most_4xx = 0.1;              // more of the answers than this: the path proves nothing
};

struct CertificateInput {
  std::vector<ProberRecord> probers;
  std::vector<CounterSeries> counters;
  std::vector<std::string> instances;    // all of the service: "web@web01"
  std::string own_machine;               // where the probers run, as in CounterSample::machine
  std::optional<Executions> executions;  // empty: nobody was asked, POSTs are not judged
  CertificateRules rules;
};

enum class Verdict { confirmed, refuted, unknown };
[[nodiscard]] const char* name_of(Verdict verdict);

enum class Blame {
  ours,         // not there before, or more than before
  baseline,     // as before, and answered by an instance that we did not touch at that time
  undecidable,  // as before, but it may as well be ours
  before,       // in the baseline window
};
[[nodiscard]] const char* name_of(Blame blame);

struct CertifiedLoss {
  Loss loss;
  std::string prober;
  TimeMs moment_ms = 0;  // when it was lost: sent, or broken off, see docs
  Window window = Window::baseline;
  std::vector<Where> where;  // in work then; more than one when that cannot be told
  Blame blame = Blame::ours;
};

struct CounterRow {
  SourceKind kind = SourceKind::load_balancer;
  std::string source, counter;
  CounterSense sense = CounterSense::shown;
  std::optional<std::int64_t> baseline, rollout;  // how far it rose in each; empty: not known
  bool more = false;                              // than before
};

struct NearMiss {
  std::string what;  // "be_web @ lb-1: retries"
  std::int64_t count = 0;
};

struct Duplicate {
  std::string id;
  std::int64_t times = 0;
  std::vector<std::string> where;
};

struct Certificate {
  Verdict verdict = Verdict::unknown;
  std::vector<std::string> reasons;  // for it when confirmed, otherwise against; safe to print
  std::vector<std::string> remarks;  // what was left out, and why; neither for nor against it
  std::int64_t sent = 0, lost = 0;   // in rollout and soak; lost: those that are not `baseline`
  std::int64_t baseline_sent = 0, baseline_lost = 0, subtracted = 0;
  TimeMs from_ms = 0, to_ms = 0;      // of rollout and soak
  std::vector<CertifiedLoss> losses;  // all that were kept, in time order
  std::vector<NearMiss> near_misses;
  std::vector<Duplicate> duplicates;
  std::vector<CounterRow> counters;
};

[[nodiscard]] Certificate certify(const CertificateInput& input);

// A few lines for the result card, without colour; each starts with two spaces but the first.
[[nodiscard]] std::string certificate_text(const Certificate& certificate);
[[nodiscard]] std::string certificate_json(const Certificate& certificate);
// "refused 14:04:43.120Z acting of web@web01: no connection: …"
[[nodiscard]] std::string describe(const CertifiedLoss& loss);

}  // namespace hitless::witness
