#include "certify/cases.hpp"

#include <fmt/format.h>

namespace hitless::certify {

using core::PhaseName;
using witness::LossKind;
using witness::Verdict;

namespace {

constexpr PhaseName kPhases[] = {PhaseName::draining, PhaseName::acting, PhaseName::verifying,
                                 PhaseName::rejoining, PhaseName::soaking};
constexpr const char* kPhaseWords[] = {"drain", "act", "verify", "rejoin", "soak"};
constexpr std::array<int, witness::kRequestTypes> kNew = {3, 0, 1, 0, 0}, kKept = {0, 3, 0, 1, 0},
                                                  kGets = {1, 1, 0, 0, 0}, kWs = {1, 0, 0, 0, 3};

struct Way {
  const char* name;
  Fault fault;
  Trick trick;
  Front front;
  LossKind kind;
  std::array<int, witness::kRequestTypes> weights;
};

const Way kWays[] = {
    {"reset", Fault::cut, Trick::none, Front::tcp, LossKind::reset, kNew},
    {"502", Fault::cut, Trick::none, Front::http, LossKind::http_5xx, kNew},
    {"timeout", Fault::hang, Trick::none, Front::http, LossKind::timeout, {3, 5, 1, 1, 0}},
    {"refused", Fault::none, Trick::refuse, Front::http, LossKind::http_5xx, kNew},
    {"closed front", Fault::none, Trick::front_closed, Front::http, LossKind::refused, kNew},
    {"short", Fault::short_body, Trick::none, Front::http, LossKind::short_body, {3, 5, 1, 1, 0}},
    {"stale", Fault::cut, Trick::none, Front::http, LossKind::stale_close, kKept},
};

Case losing(const Way& way, int k, std::size_t phase) {
  Case c;
  const bool some = way.trick == Trick::front_closed;
  c.name = fmt::format("lose {} by {} in {}", some ? "some" : std::to_string(k), way.name,
                       kPhaseWords[phase]);
  c.expected = Verdict::refuted;
  c.fault = way.fault;
  c.k = k;
  c.phase = kPhases[phase];
  c.kind = way.kind;
  c.trick = way.trick;
  c.exact = way.trick == Trick::none;  // a few may come before the port is open again
  c.front = way.front;
  c.weights = way.weights;
  return c;
}

template <class Change>
Case one(const char* name, Verdict expected, const Change& change) {
  Case c;
  c.name = name;
  c.expected = expected;
  change(c);
  return c;
}

// A handshake costs more than all the rest of a request.
void over_tls(Case& c) {
  c.front = Front::https;
  c.rate = 60;
  c.weights = {1, 4, 0, 1, 0};
}

std::vector<Case> good_cases() {
  const auto ok = Verdict::confirmed;
  return {
      one("no fault", ok, [](Case&) {}),
      one("no fault, HTTPS", ok, over_tls),
      one("no fault, WebSocket", ok, [](Case& c) { c.weights = kWs; }),
      one("no fault, TCP mode", ok,
          [](Case& c) {
            c.front = Front::tcp;
            c.weights = kNew;
          }),
      one("web01 drained and restarted for real", ok, [](Case& c) { c.trick = Trick::real_drain; }),
      one("refused, retried by the load balancer", ok,
          [](Case& c) {
            c.trick = Trick::retried;
            c.k = 2;
          }),
      one("noise in the baseline only", ok, [](Case& c) { c.noise_before = 5; }),
      one("noise of an untouched instance all along", ok,
          [](Case& c) {
            c.weights = kGets;
            c.noise_every_02 = 6;
          }),
  };
}

std::vector<Case> unclear_cases() {
  const auto not_known = Verdict::unknown;
  return {
      // New connections only: a reload closes idle kept-alive ones, and a request that is sent at
      // that
      // moment is lost for real (seen on a slow machine: the certificate said so and was right).
      one("counters reset", not_known,
          [](Case& c) {
            c.weights = kNew;
            c.trick = Trick::counters_reset;
          }),
      one("counters stale", not_known, [](Case& c) { c.trick = Trick::counters_stop; }),
      one("counters stand still", not_known, [](Case& c) { c.trick = Trick::counters_frozen; }),
      one("counters unreadable", not_known, [](Case& c) { c.trick = Trick::counters_missing; }),
      one("another client gets a 500", not_known, [](Case& c) { c.trick = Trick::other_client; }),
      one("prober goes around the balancer", not_known, [](Case& c) { c.trick = Trick::bypass; }),
      one("HTTPS, certificate of nobody we trust", not_known,
          [](Case& c) {
            over_tls(c);
            c.trick = Trick::untrusted;
          }),
      one("HTTPS, certificate of another name", not_known,
          [](Case& c) {
            over_tls(c);
            c.trick = Trick::other_name;
          }),
      one("host rebooted by itself", not_known, [](Case& c) { c.trick = Trick::host_reboot; }),
      one("host's accept queue overflows", not_known,
          [](Case& c) { c.trick = Trick::host_overflow; }),
      one("prober too slow", not_known, [](Case& c) { c.rate = 4; }),
      one("prober at its own limit", not_known,
          [](Case& c) {
            c.max_in_flight = 1;
            c.fault = Fault::hang;
            c.k = 0;
            c.rate = 2000;
          }),
      one("prober asks for what is not there", not_known, [](Case& c) { c.path = "/missing"; }),
      one("the instance in work fails as it did before", not_known,
          [](Case& c) {
            c.weights = kGets;
            c.noise_every_01 = 6;
          }),
  };
}

std::vector<Case> mixed_cases() {
  const auto no = Verdict::refuted;
  return {
      one("10 more of the baseline's noise, at once", no,
          [](Case& c) {
            c.weights = kGets;
            c.noise_every_01 = 40;
            c.exact = false;
            c.fault = Fault::error_500;
            c.k = 10;
            c.kind = LossKind::http_5xx;
          }),
      one("1 reset among the baseline's noise", no,
          [](Case& c) {
            c.weights = kKept;
            c.noise_every_02 = 6;
            c.fault = Fault::cut;
            c.k = 1;
            c.kind = LossKind::stale_close;
          }),
      one("lost and counters stale", no,
          [](Case& c) {
            c.weights = kNew;
            c.fault = Fault::cut;
            c.k = 1;
            c.kind = LossKind::http_5xx;
            c.trick = Trick::counters_stop;
          }),
      one("POSTs executed twice by retries", no,
          [](Case& c) {
            c.weights = {0, 0, 1, 0, 0};
            c.fault = Fault::cut;
            c.k = 2;
            c.retry_all = true;
          }),
      one("1 WebSocket cut", no,
          [](Case& c) {
            c.weights = kWs;
            c.fault = Fault::cut;
            c.k = 1;
            c.kind = LossKind::stale_close;
          }),
      one("2 by HTTPS", no,
          [](Case& c) {
            over_tls(c);
            c.weights = kNew;
            c.fault = Fault::cut;
            c.k = 2;
            c.kind = LossKind::http_5xx;
          }),
  };
}

void append(std::vector<Case>* all, std::vector<Case> more) {
  for (Case& c : more) all->push_back(std::move(c));
}

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> all = good_cases();
  for (const Way& way : kWays)
    for (const int k : {1, 2, 10}) {
      if (k > 1 && way.trick == Trick::front_closed) continue;  // how many cannot be chosen
      for (std::size_t phase = 0; phase < std::size(kPhases); ++phase)
        all.push_back(losing(way, k, phase));
    }
  append(&all, unclear_cases());
  append(&all, mixed_cases());
  return all;
}

std::vector<Case> quick_cases() {
  std::vector<Case> all = good_cases();
  std::size_t phase = 0;
  for (const Way& way : kWays) all.push_back(losing(way, 1, phase++ % std::size(kPhases)));
  append(&all, unclear_cases());
  append(&all, mixed_cases());
  return all;
}

}  // namespace hitless::certify
