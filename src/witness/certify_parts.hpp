// What certify() is made of, each part judging one source. Private to src/witness.
#pragma once
#include "witness/certificate.hpp"

namespace hitless::witness {

// What stands against `confirmed`: a proven loss, or something that is not known.
struct Findings {
  std::vector<std::string> refuting, doubts;
};

// Losses with moment, place and blame; counts of both windows.
void judge_losses(const CertificateInput& input, Certificate* out, Findings* findings);
// Whether the probers saw enough, the whole time.
void judge_probers(const CertificateInput& input, const Certificate& so_far, Findings* findings);
// Counters: usable, in agreement with the probers, near misses.
void judge_counters(const CertificateInput& input, Certificate* out, Findings* findings);
void judge_executions(const CertificateInput& input, Certificate* out, Findings* findings);

}  // namespace hitless::witness
