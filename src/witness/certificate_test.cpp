// The rules of docs/certificate.md, one by one, on made-up records. `./dev certify` holds them
// against a real load balancer.
#include "witness/certificate.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <random>

#include "witness/noise.hpp"

namespace hitless::witness {
namespace {

using core::PhaseName;

constexpr TimeMs kStart = 1'000'000, kBegin = kStart + 10'000, kEnd = kStart + 20'000;
constexpr double kRate = 100;

Mark mark_at(TimeMs at) {
  Mark mark;
  mark.at_ms = at;
  mark.sent = mark.ok = mark.http_answers = mark.arrivals =
      static_cast<std::int64_t>(static_cast<double>(at - kStart) / 1000 * kRate);
  mark.longest_gap_ms = 10;
  return mark;
}

// 10 s of baseline, 10 s of rollout in which web01 works for 5 s, one second in each phase.
ProberRecord record() {
  ProberRecord r;
  r.name = "prober";
  r.rate_per_s = kRate;
  ProberSnapshot& s = r.seen;
  const auto window = [&](TimeMs at, Window w) {
    s.marks.push_back(mark_at(at));
    s.marks.back().window = w;
  };
  window(kBegin, Window::rollout);
  TimeMs at = kBegin + 2'000;
  for (const PhaseName phase : {PhaseName::draining, PhaseName::acting, PhaseName::verifying,
                                PhaseName::rejoining, PhaseName::soaking, PhaseName::done}) {
    s.marks.push_back(mark_at(at));
    s.marks.back().instance = "web@web01";
    s.marks.back().phase = phase;
    at += 1'000;
  }
  window(kEnd - 1'000, Window::soak);
  window(kEnd, Window::after);
  s.now = mark_at(kEnd + 100);
  s.sent = s.ok = s.now.sent;
  s.stopped_ms = kEnd + 100;
  s.id_prefix = "cafe";
  return r;
}

CounterSample counted(TimeMs at, std::int64_t requests, std::int64_t errors = 0) {
  CounterSample sample;
  sample.at_ms = at;
  sample.epoch = "1";
  sample.values = {{"requests", requests}, {"responses_5xx", errors}, {"retries", 0}};
  return sample;
}

CertificateInput good() {
  CertificateInput in;
  in.probers = {record()};
  in.instances = {"web@web01", "web@web02"};
  CounterSeries lb;
  lb.name = "be @ lb-1";
  lb.sees_all_probes = true;
  for (TimeMs at = kStart; at <= kEnd + 1'000; at += 1'000)
    add_sample(&lb, counted(at, (at - kStart) / 5));
  in.counters = {lb};
  return in;
}

Loss loss(TimeMs at, LossKind kind = LossKind::reset, const std::string& server = "",
          int status = 0) {
  Loss l;
  l.at_ms = at;
  l.kind = kind;
  l.after_us = 1'000;
  l.path = "/";
  l.server = server;
  l.status = status;
  return l;
}

void lose(CertificateInput* in, Loss l) {
  in->probers[0].seen.recent_losses.push_back(std::move(l));
  ++in->probers[0].seen.lost;
}

TEST(Certificate, NothingLostIsConfirmed) {
  const Certificate c = certify(good());
  EXPECT_EQ(c.verdict, Verdict::confirmed) << certificate_text(c);
  EXPECT_EQ(c.sent, 1000);
  EXPECT_EQ(c.lost, 0);
  EXPECT_EQ(c.baseline_sent, 1000);
}

TEST(Certificate, OneLostRequestIsNeverConfirmedInAnyPhase) {
  const PhaseName phases[] = {PhaseName::draining, PhaseName::acting, PhaseName::verifying,
                              PhaseName::rejoining, PhaseName::soaking};
  for (std::size_t kind = 0; kind < kLossKinds; ++kind) {
    for (std::size_t i = 0; i < std::size(phases); ++i) {
      CertificateInput in = good();
      lose(&in, loss(kBegin + 2'500 + static_cast<TimeMs>(i) * 1'000, static_cast<LossKind>(kind)));
      const Certificate c = certify(in);
      EXPECT_EQ(c.verdict, Verdict::refuted) << name_of(static_cast<LossKind>(kind));
      ASSERT_EQ(c.losses.size(), 1u);
      EXPECT_EQ(c.losses[0].where, (std::vector<Where>{{"web@web01", phases[i]}}));
    }
  }
}

TEST(Certificate, ALossAcrossTheStartIsOurs) {
  for (const LossKind kind : {LossKind::timeout, LossKind::reset, LossKind::refused}) {
    CertificateInput in = good();
    Loss hung = loss(kBegin - 50, kind);
    hung.after_us = 400'000;
    lose(&in, hung);
    EXPECT_EQ(certify(in).verdict, Verdict::refuted) << name_of(kind);
  }
}

TEST(Certificate, ALossBeforeIsBaselineAndALossAfterIsNobodys) {
  CertificateInput in = good();
  lose(&in, loss(kBegin - 5'000));
  lose(&in, loss(kEnd + 50));
  const Certificate c = certify(in);
  EXPECT_EQ(c.verdict, Verdict::confirmed) << certificate_text(c);
  EXPECT_EQ(c.baseline_lost, 1);
  EXPECT_NE(certificate_text(c).find("baseline  1 of 1000"), std::string::npos);
}

// 20 failures of an instance in each window.
CertificateInput noisy(const std::string& server) {
  CertificateInput in = good();
  for (int i = 0; i < 20; ++i) {
    lose(&in, loss(kStart + 100 + i * 490, LossKind::http_5xx, server, 500));
    lose(&in, loss(kBegin + 100 + i * 490, LossKind::http_5xx, server, 500));
  }
  return in;
}

TEST(Certificate, NoiseOfAnUntouchedInstanceIsSubtracted) {
  const Certificate c = certify(noisy("web02"));
  EXPECT_EQ(c.verdict, Verdict::confirmed) << certificate_text(c);
  EXPECT_EQ(c.subtracted, 20);
  EXPECT_EQ(c.lost, 0);
}

TEST(Certificate, NoiseThatMayBeOursIsUnknown) {
  for (const char* server : {"web01", "", "someone-else"}) {
    const Certificate c = certify(noisy(server));
    EXPECT_EQ(c.verdict, Verdict::unknown) << server;
    EXPECT_GT(c.lost, 0);
  }
}

TEST(Certificate, MoreThanTheNoiseIsRefuted) {
  CertificateInput in = noisy("web02");
  for (int i = 0; i < 40; ++i)
    lose(&in, loss(kBegin + 200 + i * 240, LossKind::http_5xx, "web02", 500));
  EXPECT_EQ(certify(in).verdict, Verdict::refuted) << "overload of those that were left";
}

TEST(Certificate, ABurstInOnePhaseDoesNotDrownInTheWhole) {
  CertificateInput in = noisy("web02");
  for (int i = 0; i < 12; ++i)
    lose(&in, loss(kBegin + 3'200 + i * 20, LossKind::http_5xx, "web02", 500));
  EXPECT_EQ(certify(in).verdict, Verdict::refuted);
}

TEST(Certificate, AnotherKindOfFailureIsNotNoise) {
  for (const Loss& other : {loss(kBegin + 3'500, LossKind::short_body, "web02", 200),
                            loss(kBegin + 3'500, LossKind::http_5xx, "web02", 503)}) {
    CertificateInput in = noisy("web02");
    lose(&in, other);
    const Certificate c = certify(in);
    EXPECT_EQ(c.verdict, Verdict::refuted);
    EXPECT_EQ(c.lost, 1);
  }
}

TEST(Certificate, TwoInWorkAreBothNamedUnlessTheAnswerTells) {
  for (const bool told : {false, true}) {
    CertificateInput in = good();
    auto& marks = in.probers[0].seen.marks;
    Mark second = mark_at(kBegin + 2'100);
    second.instance = "web@web02";
    second.phase = PhaseName::draining;
    marks.insert(marks.begin() + 2, second);
    lose(&in, loss(kBegin + 3'500, LossKind::http_5xx, told ? "web02" : "", 502));
    EXPECT_EQ(certify(in).losses.at(0).where.size(), told ? 1u : 2u);
  }
}

using Change = std::function<void(CertificateInput*)>;

void expect_unknown(const char* what, const Change& change) {
  CertificateInput in = good();
  change(&in);
  const Certificate c = certify(in);
  EXPECT_EQ(c.verdict, Verdict::unknown) << what;
  EXPECT_FALSE(c.reasons.empty());
}

TEST(Certificate, AProberThatSawTooLittleIsUnknown) {
  const auto seen = [](CertificateInput* in) -> ProberSnapshot& { return in->probers[0].seen; };
  expect_unknown("none", [](auto* in) { in->probers.clear(); });
  expect_unknown("no timeline", [&](auto* in) { seen(in).marks.clear(); });
  expect_unknown("marks lost", [&](auto* in) { seen(in).marks_dropped = 1; });
  expect_unknown("no end", [&](auto* in) { seen(in).marks.pop_back(); });
  expect_unknown("running", [&](auto* in) { seen(in).stopped_ms = 0; });
  expect_unknown("not sent", [&](auto* in) { seen(in).not_sent = 1; });
  expect_unknown("unfinished", [&](auto* in) { seen(in).unfinished = 1; });
  expect_unknown("gap", [&](auto* in) { seen(in).marks[4].longest_gap_ms = 1'500; });
  expect_unknown("4xx", [&](auto* in) {
    for (Mark& mark : seen(in).marks) std::swap(mark.ok, mark.answered_4xx);
    std::swap(seen(in).now.ok, seen(in).now.answered_4xx);
  });
  expect_unknown("some new 4xx", [&](auto* in) { seen(in).marks.back().answered_4xx = 9; });
  expect_unknown("one instance unseen", [&](auto* in) {
    for (std::size_t i = 2; i <= 6; ++i) seen(in).marks[i].sent = seen(in).marks[1].sent + 4;
  });
  expect_unknown("slow", [&](auto* in) {
    for (Mark& mark : seen(in).marks) mark.sent /= 100;
    seen(in).now.sent /= 100;
  });
}

TEST(Certificate, CountersThatCannotBeBelievedAreUnknown) {
  const auto lb = [](CertificateInput* in) -> CounterSeries& { return in->counters[0]; };
  const auto refill = [](CounterSeries* series, TimeMs from, TimeMs to, const auto& value) {
    series->samples.clear();
    for (TimeMs at = from; at <= to; at += 1'000) add_sample(series, value(at));
  };
  const auto steady = [](TimeMs at) { return counted(at, (at - kStart) / 5); };
  expect_unknown("none", [](auto* in) { in->counters.clear(); });
  expect_unknown("never read", [&](auto* in) { lb(in).samples.clear(); });
  expect_unknown("stale", [&](auto* in) { refill(&lb(in), kStart, kEnd - 2'000, steady); });
  expect_unknown("late", [&](auto* in) { refill(&lb(in), kBegin + 500, kEnd + 1'000, steady); });
  expect_unknown("epoch", [&](auto* in) {
    refill(&lb(in), kStart, kEnd + 1'000, [&](TimeMs at) {
      CounterSample s = steady(at);
      s.epoch = at > kBegin + 3'000 ? "2" : "1";
      return s;
    });
  });
  expect_unknown("fell", [&](auto* in) {
    refill(&lb(in), kStart, kEnd + 1'000, [&](TimeMs at) {
      return counted(at, at > kBegin + 3'000 ? at - kBegin : 50'000 + at - kStart);
    });
  });
  expect_unknown("stands still", [&](auto* in) {
    refill(&lb(in), kStart, kEnd + 1'000, [](TimeMs at) { return counted(at, 5'000); });
  });
  expect_unknown("disagrees", [&](auto* in) {
    refill(&lb(in), kStart, kEnd + 1'000,
           [](TimeMs at) { return counted(at, (at - kStart) / 5, at > kBegin + 3'000 ? 1 : 0); });
  });
  expect_unknown("host reset its counters", [&](auto* in) {
    CounterSeries host;
    host.kind = SourceKind::host;
    host.name = "web01";
    for (const TimeMs at : {kStart, kEnd + 1'000}) {
      CounterSample s = counted(at, 1);
      s.epoch = std::to_string(at);
      add_sample(&host, s);
    }
    in->counters.push_back(host);
  });
}

TEST(Certificate, ASourceThatIsNotRequiredMayBeMissing) {
  CertificateInput in = good();
  CounterSeries host;
  host.kind = SourceKind::host;
  host.required = false;
  in.counters.push_back(host);
  EXPECT_EQ(certify(in).verdict, Verdict::confirmed);
}

// web01 drained at +2.5 s and put back at +5 s; its host counts `more` aborts at `at`.
CertificateInput aborted(TimeMs at, std::int64_t more, const std::string& counter) {
  CertificateInput in = good();
  auto& marks = in.probers[0].seen.marks;
  Mark drained = mark_at(kBegin + 2'500);
  drained.instance = "web@web01";
  drained.phase = PhaseName::drained;
  marks.insert(marks.begin() + 2, drained);
  CounterSeries host;
  host.kind = SourceKind::host;
  host.name = "web01";
  host.instances = {"web@web01"};
  for (TimeMs t = kStart; t <= kEnd + 1'000; t += 250) {
    CounterSample sample = counted(t, 1);
    sample.values = {{counter, t > at ? more : 0}};
    sample.done_ms = t + 10;
    add_sample(&host, sample);
  }
  in.counters.push_back(host);
  return in;
}

TEST(Certificate, AHealthCheckThatAStopCutsOffIsNoClient) {
  const TimeMs out = kBegin + 3'000, in_rotation = kBegin + 6'500;
  for (const std::string counter : {"TCPAbortOnClose", "TCPAbortOnData"}) {
    const Certificate c = certify(aborted(out, 2, counter));
    EXPECT_EQ(c.verdict, Verdict::confirmed) << certificate_text(c);
    ASSERT_EQ(c.remarks.size(), 1u);
    EXPECT_NE(c.remarks[0].find("web01: " + counter + " +2 while web@web01 was out of rotation"),
              std::string::npos)
        << c.remarks[0];
    EXPECT_EQ(certify(aborted(in_rotation, 1, counter)).verdict, Verdict::unknown);
    EXPECT_EQ(certify(aborted(kBegin + 2'400, 1, counter)).verdict, Verdict::unknown)
        << "it was not drained yet";
    EXPECT_EQ(certify(aborted(kBegin + 4'900, 1, counter)).verdict, Verdict::unknown)
        << "seen only when it was to be put back";
    EXPECT_EQ(certify(aborted(out, 9, counter)).verdict, Verdict::unknown)
        << "more than there are health checks";
  }
  EXPECT_EQ(certify(aborted(out, 1, "ListenDrops")).verdict, Verdict::unknown);
  CertificateInput shared = aborted(out, 1, "TCPAbortOnClose");
  shared.counters[1].instances = {"web@web01", "web@web01:81"};
  EXPECT_EQ(certify(shared).verdict, Verdict::unknown) << "whose it was cannot be told";
  CertificateInput came_back = aborted(out, 1, "TCPAbortOnClose");
  for (Mark& mark : came_back.probers[0].seen.marks)
    if (mark.phase == PhaseName::rejoining) mark.phase = PhaseName::draining;
  EXPECT_EQ(certify(came_back).verdict, Verdict::unknown) << "put back by another hand";
}

// A host's counters, with one failure in the rollout that no prober saw.
CounterSeries host_series(const std::string& name, const std::string& machine) {
  CounterSeries host;
  host.kind = SourceKind::host;
  host.name = name;
  for (TimeMs at = kStart; at <= kEnd + 1'000; at += 1'000) {
    CounterSample sample;
    sample.at_ms = at;
    sample.epoch = "boot";
    sample.machine = machine;
    sample.values = {{"ListenDrops", at > kBegin + 3'000 ? 1 : 0}};
    add_sample(&host, sample);
  }
  return host;
}

TEST(Certificate, CountersOfASharedMachineSayNothing) {
  CertificateInput in = good();
  in.counters.push_back(host_series("web01", "boot net:[1]"));
  EXPECT_EQ(certify(in).verdict, Verdict::unknown);
  in.counters.push_back(host_series("web02", "boot net:[2]"));
  EXPECT_EQ(certify(in).verdict, Verdict::unknown) << "another namespace has its own counters";
  in.counters.back() = host_series("web02", "boot net:[1]");
  Certificate c = certify(in);
  EXPECT_EQ(c.verdict, Verdict::confirmed) << certificate_text(c);
  ASSERT_EQ(c.remarks.size(), 1u);
  EXPECT_NE(c.remarks[0].find("web01, web02 left out: they are one machine"), std::string::npos);
  for (const CounterRow& row : c.counters) EXPECT_EQ(row.kind, SourceKind::load_balancer);

  in.counters.pop_back();
  in.own_machine = "boot net:[1]";
  c = certify(in);
  EXPECT_EQ(c.verdict, Verdict::confirmed) << certificate_text(c);
  EXPECT_NE(certificate_text(c).find("this program runs on the same machine"), std::string::npos);

  in.counters[1] = host_series("web01", "");
  in.own_machine = "";
  EXPECT_EQ(certify(in).verdict, Verdict::unknown) << "not known is not the same";
}

TEST(Certificate, HostsDoNotStandInForTheLoadBalancer) {
  for (const char* machine : {"elsewhere", "here"}) {
    CertificateInput in = good();
    in.own_machine = "here";
    in.counters = {host_series("web01", machine)};
    for (CounterSample& sample : in.counters[0].samples) sample.values["ListenDrops"] = 0;
    const Certificate c = certify(in);
    EXPECT_EQ(c.verdict, Verdict::unknown);
    EXPECT_NE(certificate_text(c).find("no counters of a load balancer"), std::string::npos);
    lose(&in, loss(kBegin + 3'500));
    EXPECT_EQ(certify(in).verdict, Verdict::refuted);
  }
}

TEST(Certificate, RetriesAreNearMisses) {
  CertificateInput in = good();
  in.counters[0].samples.back().values["retries"] = 2;
  const Certificate c = certify(in);
  EXPECT_EQ(c.verdict, Verdict::confirmed);
  ASSERT_EQ(c.near_misses.size(), 1u);
  EXPECT_EQ(c.near_misses[0].count, 2);
}

TEST(Certificate, APostThatRanTwiceRefutes) {
  CertificateInput in = good();
  in.executions.emplace();
  ASSERT_TRUE(
      add_executions(&*in.executions, "web01", R"({"executions": {"cafe-1500": 1}})", "cafe"));
  ASSERT_TRUE(add_executions(&*in.executions, "web02",
                             R"({"executions": {"cafe-1500": 1, "beef-3": 9}})", "cafe"));
  const Certificate c = certify(in);
  EXPECT_EQ(c.verdict, Verdict::refuted);
  ASSERT_EQ(c.duplicates.size(), 1u);
  EXPECT_EQ(c.duplicates[0].where, (std::vector<std::string>{"web01", "web02"}));
  in.executions->times = {{"cafe-700", 2}};  // three seconds before the rollout
  EXPECT_EQ(certify(in).verdict, Verdict::confirmed);
  in.executions->problems = {"web03: connection refused"};
  EXPECT_EQ(certify(in).verdict, Verdict::unknown);
}

TEST(Certificate, TextAndJsonHoldHostileTextSafely) {
  CertificateInput in = good();
  Loss l = loss(kBegin + 3'500);
  l.path = "/\x1b[31m\"<script>";
  lose(&in, l);
  in.counters[0].name = "\x1b[2J";
  const Certificate c = certify(in);
  EXPECT_EQ(certificate_text(c).find('\x1b'), std::string::npos);
  boost::system::error_code error;
  const auto parsed = boost::json::parse(certificate_json(c), error);
  ASSERT_FALSE(error);
  EXPECT_EQ(parsed.at("verdict").as_string(), "refuted");
  EXPECT_EQ(parsed.at("losses").at(0).at("where").at(0).at("phase").as_string(), "acting");
}

// docs/certificate.md: steady noise refutes at most 1 % of rollouts.
TEST(Certificate, SteadyNoiseRarelyRefutes) {
  std::mt19937 random(7);
  const CertificateInput quiet = good();
  for (const double share : {0.01, 0.05}) {
    std::bernoulli_distribution fails(share);
    int refuted = 0;
    constexpr int kRollouts = 1'000;
    for (int run = 0; run < kRollouts; ++run) {
      CertificateInput in = quiet;
      for (TimeMs at = kStart; at < kEnd - 2; at += 10)
        if (fails(random)) lose(&in, loss(at, LossKind::http_5xx, "web02", 500));
      refuted += certify(in).verdict == Verdict::refuted ? 1 : 0;
    }
    EXPECT_LE(refuted, kRollouts / 100) << share;
  }
}

TEST(Noise, TheTestIsExact) {
  EXPECT_DOUBLE_EQ(chance_of_as_many({5, 100}, {0, 100}), 1.0);
  EXPECT_NEAR(chance_of_as_many({0, 100}, {1, 100}), 0.5, 1e-9);
  EXPECT_NEAR(chance_of_as_many({1, 300}, {1, 100}), 1 - 0.75 * 0.75, 1e-9);
  EXPECT_NEAR(chance_of_as_many({10, 1000}, {30, 1000}), 0.0011, 0.0001);
  EXPECT_TRUE(more_than_before({0, 1'000'000}, {1, 10}, 0.01));
  EXPECT_FALSE(more_than_before({10, 1000}, {10, 1000}, 0.01));
  EXPECT_FALSE(more_than_before({0, 0}, {0, 10}, 0.01));
  EXPECT_TRUE(more_than_before({0, 0}, {1, 10}, 0.01));
}

}  // namespace
}  // namespace hitless::witness
