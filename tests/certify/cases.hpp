// The cases of `./dev certify`: what is done to the clients, and what the certificate must say.
#pragma once
#include <string>
#include <vector>

#include "certify/backend.hpp"
#include "witness/certificate.hpp"

namespace hitless::certify {

enum class Front { http, tcp, https };

enum class Trick {
  none,
  refuse,            // the listener is closed until k connections were refused
  front_closed,      // the load balancer itself refuses connections for a moment
  retried,           // the same, but the load balancer tries again: nobody notices
  real_drain,        // web01 is drained, stopped, started, put back, for real
  counters_reset,    // the load balancer is reloaded in mid-rollout
  counters_stop,     // nobody reads them after the rollout began
  counters_frozen,   // somebody reads the same values again and again
  counters_missing,  // they cannot be read at all
  other_client,      // another client gets a 500, the prober none
  untrusted,         // the certificate is signed by nobody that the prober trusts
  other_name,        // it is, but it is somebody else's
  bypass,            // the prober does not go through the load balancer
  host_reboot,       // a host's counters begin anew
  host_overflow,     // a host's accept queue overflows
};

struct Case {
  std::string name;
  witness::Verdict expected = witness::Verdict::confirmed;
  // Losses: k of them at web01, in that phase, to be found as that kind.
  Fault fault = Fault::none;
  int k = 0;
  core::PhaseName phase = core::PhaseName::acting;
  witness::LossKind kind = witness::LossKind::reset;
  Trick trick = Trick::none;
  Front front = Front::http;
  std::array<int, witness::kRequestTypes> weights = {3, 5, 1, 1, 0};
  double rate = 150;
  std::string path = "/";
  std::size_t max_in_flight = 4096;
  int noise_before = 0;    // 500s of web02 in the baseline
  int noise_every_02 = 0;  // web02 answers every nth request with 500, the whole time
  int noise_every_01 = 0;  // web01
  bool exact = true;       // exactly k; otherwise at least k, noise of the same sort included
  bool retry_all = false;  // the load balancer repeats also what may have been executed
};

[[nodiscard]] std::vector<Case> all_cases();
[[nodiscard]] std::vector<Case> quick_cases();

struct CaseResult {
  witness::Certificate certificate;
  int truth = 0;             // requests that were lost, by those who lost them
  bool attributed = true;    // each loss has the kind, phase and instance that it should have
  std::string problem = {};  // the case could not be run
  bool starved = false;      // this machine stood still in it
};
[[nodiscard]] CaseResult run_case(const Case& c);

}  // namespace hitless::certify
