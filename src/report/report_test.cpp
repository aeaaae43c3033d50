// A rollout with everything in it, hostile names included. Set HITLESS_REPORT_OUT to a folder to
// keep the files and look at them in a browser.
#include "report/report.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <regex>

#include "report/parts.hpp"

namespace hitless::report {
namespace {

using core::PhaseName;
constexpr TimeMs kStart = 1'771'423'483'000;

void advance(ReportInput* in, TimeMs at, const std::string& id, PhaseName from, PhaseName to) {
  in->entries.push_back({static_cast<std::int64_t>(in->entries.size()) + 1, "R-7f3a", at,
                         core::Advanced{{id}, from, to, "because it was time"}});
}

void seen(ReportInput* in, TimeMs at, const std::string& id, std::optional<std::int64_t> n) {
  core::TargetReading reading;
  reading.state = core::TargetState::draining;
  reading.in_flight = n;
  reading.host_connections = n ? std::optional(*n + 3) : std::nullopt;
  in->entries.push_back({static_cast<std::int64_t>(in->entries.size()) + 1, "R-7f3a", at,
                         core::TrafficSeen{{{{id}, reading}}}});
}

void one_turn(ReportInput* in, TimeMs at, const std::string& id) {
  using enum PhaseName;
  advance(in, at, id, waiting, preflight);
  advance(in, at + 300, id, preflight, draining);
  for (int i = 0; i < 30; ++i)
    seen(in, at + 400 + i * 200, id,
         i == 12 ? std::nullopt : std::optional<std::int64_t>(240 * std::exp(-i / 6.0)));
  advance(in, at + 6'600, id, draining, drained);
  advance(in, at + 6'620, id, drained, acting);
  advance(in, at + 9'700, id, acting, verifying);
  advance(in, at + 12'500, id, verifying, rejoining);
  advance(in, at + 13'900, id, rejoining, soaking);
  advance(in, at + 16'000, id, soaking, done);
}

witness::ProberRecord prober() {
  witness::ProberRecord record;
  record.name = "http://shop.example/";
  for (int i = 0; i < 90; ++i) {
    witness::SeriesPoint point;
    point.start_ms = kStart - 15'000 + i * 1000;
    point.sent = 20;
    point.lost = i == 24 ? 2 : 0;
    point.ok = 20 - point.lost;
    if (i != 40) point.p50_us = 4'000 + (i % 7) * 300;
    if (i != 40) point.p95_us = 11'000 + (i % 5) * 1'700 + (i > 22 && i < 26 ? 14'000 : 0);
    record.seen.series.push_back(point);
    record.seen.sent += 20;
  }
  record.seen.lost = 2;
  record.seen.p50_us = 4'800;
  record.seen.p95_us = 14'200;
  for (const auto& [window, at] : {std::pair{witness::Window::rollout, kStart},
                                   {witness::Window::soak, kStart + 66'000},
                                   {witness::Window::after, kStart + 74'000}}) {
    witness::Mark mark;
    mark.window = window;
    mark.at_ms = at;
    record.seen.marks.push_back(mark);
  }
  return record;
}

witness::Certificate certificate() {
  witness::Certificate c;
  c.verdict = witness::Verdict::refuted;
  c.reasons = {"2 of 1480 requests lost: 2 http_5xx"};
  c.sent = 1480;
  c.lost = 2;
  c.baseline_sent = 300;
  for (int i = 0; i < 2; ++i) {
    witness::CertifiedLoss lost;
    lost.moment_ms = kStart + 8'900 + i * 120;
    lost.loss.kind = witness::LossKind::http_5xx;
    lost.loss.detail = "HTTP 502";
    lost.loss.path = "/";
    lost.window = witness::Window::rollout;
    lost.where = {{"web@web01", PhaseName::acting}};
    c.losses.push_back(lost);
  }
  c.near_misses = {{"be_web @ lb-1: retries", 2}};
  c.counters = {{witness::SourceKind::load_balancer, "be_web @ lb-1", "responses_5xx",
                 witness::CounterSense::failure, 0, 2, true},
                {witness::SourceKind::host, "web01", "ListenOverflows",
                 witness::CounterSense::failure, std::nullopt, 0, false}};
  return c;
}

ReportInput rollout() {
  ReportInput in;
  in.made_at = kStart + 80'000;
  in.version = "0.1.0";
  in.state.plan.rollout = "R-7f3a";
  in.state.plan.service = "web";
  in.state.plan.intent = core::Intent::apply;
  in.state.plan.change_summary = "+3 −1, upstream only";
  in.state.plan.hash = "5d41402abc4b2a76b9719d911017c592";
  in.state.plan.policy.drain.deadline_ms = 10'000;
  in.state.plan.policy.capacity.floor = 2;
  in.state.lowest_serving = 3;
  in.state.actor = "anna";
  in.state.started_at = kStart;
  in.state.ended_at = kStart + 74'000;
  in.state.ended = core::RolloutResult::succeeded;
  in.entries.push_back({1, "R-7f3a", kStart, core::RolloutStarted{in.state.plan, "anna", 1}});
  for (int i = 0; i < 4; ++i) {
    core::Instance instance;
    instance.plan.id.value = "web@web0" + std::to_string(i + 1);
    instance.phase = core::Done{};
    instance.drain_ms = 6'300;
    instance.back_ms = 9'400;
    instance.proof = "PID 1234 → 5678, new worker generation";
    core::PreflightReport report;
    report.checks = {{"Load balancer healthcheck", core::CheckStatus::pass, "UP on lb-1", ""},
                     {"Disk", core::CheckStatus::warn, "91 % used", "clean /var/log"}};
    report.diff =
        "--- a/nginx.conf\n+++ b/nginx.conf\n@@ -1,3 +1,4 @@\n upstream app {\n"
        "-  server 10.0.0.1:8080;\n+  server 10.0.0.1:8081;\n+  keepalive 16;\n }\n";
    instance.report = report;
    in.state.instances.push_back(instance);
    one_turn(&in, kStart + 500 + i * 16'300, instance.plan.id.value);
  }
  in.probers = {prober()};
  in.certificate = certificate();
  return in;
}

void keep(const std::string& name, const std::string& page) {
  if (const char* folder = std::getenv("HITLESS_REPORT_OUT"))
    std::ofstream(std::string(folder) + "/" + name) << page;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++n;
  return n;
}

TEST(Report, HasEverySectionAndATableUnderEachChart) {
  const std::string page = html_report(rollout());
  keep("report.html", page);
  for (const char* id :
       {"certificate", "gantt", "drains", "clients", "checklist", "diff", "journal"})
    EXPECT_EQ(count(page, std::string("id=\"") + id + "\""), 1u) << id;
  EXPECT_EQ(count(page, "<figure>"), 6u);  // Gantt, four drains, one prober
  EXPECT_EQ(count(page, "<figure>"), count(page, "The same as a table"));
  EXPECT_NE(page.find("zero-drop refuted"), std::string::npos);
  EXPECT_NE(page.find("deadline 10s"), std::string::npos) << "the deadline line";
  EXPECT_NE(page.find("lost requests"), std::string::npos);
}

TEST(Report, ChecklistsThatPassAreFoldedAwayButOne) {
  ReportInput in = rollout();
  std::size_t checked = 0;
  for (core::Instance& instance : in.state.instances)
    if (instance.report && !instance.report->checks.empty()) {
      ++checked;
      for (core::Check& check : instance.report->checks) check.status = core::CheckStatus::pass;
    }
  ASSERT_GT(checked, 1u);
  EXPECT_EQ(count(html_report(in), "<details open>"), 1u);
  in.state.instances.back().report = in.state.instances.front().report;
  in.state.instances.back().report->checks.front().status = core::CheckStatus::unknown;
  EXPECT_EQ(count(html_report(in), "<details open>"), 2u) << "what does not pass is seen";
}

TEST(Report, ABlockedOneDoesNotBlameTheProber) {
  ReportInput in = rollout();
  in.certificate.reset();
  EXPECT_NE(html_report(in).find("None was made: nothing was touched"), std::string::npos);
  in.probers.clear();
  EXPECT_NE(html_report(in).find("no prober watched"), std::string::npos);
}

TEST(Report, IsStaticAndSaysSoToTheBrowser) {
  const std::string page = html_report(rollout());
  EXPECT_EQ(count(page, "<script"), 0u);
  EXPECT_EQ(count(page, "style=\""), 0u) << "the policy would refuse it";
  EXPECT_FALSE(std::regex_search(page, std::regex("<[^>]* on[a-z]+="))) << "no handler";
  EXPECT_EQ(page.find("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                      "style-src 'sha256-"),
            page.find("http-equiv="));
}

TEST(Report, EverythingFromOutsideIsEscaped) {
  const std::string evil =
      "\"><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\xe2\x80\xae";
  ReportInput in = rollout();
  core::State& s = in.state;
  s.actor = s.plan.rollout = s.plan.service = s.plan.change_summary = s.plan.hash = evil;
  s.incident = in.version = evil;
  for (core::Instance& instance : s.instances) {
    instance.plan.id.value = instance.failure = instance.proof = instance.last_error = evil;
    instance.failed = true;
    for (core::Check& check : instance.report->checks)
      check.name = check.evidence = check.help = evil;
    instance.report->diff = "+" + evil + "\n-" + evil + "\n " + evil;
  }
  s.ended = core::RolloutResult::human_needed;
  one_turn(&in, kStart + 67'000, evil);
  core::Effect effect;
  effect.id = effect.instance.value = effect.reason = evil;
  core::Outcome outcome;
  outcome.detail = evil;
  core::ServiceReading service;
  service.evidence = evil;
  for (const core::Event& event :
       {core::Event(core::EffectIntended{effect}), core::Event(core::EffectFinished{evil, outcome}),
        core::Event(core::ServiceSeen{{evil}, service}), core::Event(core::Halted{evil}),
        core::Event(core::OperatorAsked{core::OperatorWish::abort, evil}),
        core::Event(core::Noted{{evil}, evil})})
    in.entries.push_back({1, evil, kStart + 70'000, event});
  in.probers[0].name = evil;
  for (auto& lost : in.certificate->losses) {
    lost.loss.path = lost.loss.detail = lost.loss.server = lost.prober = evil;
    lost.where[0].instance = evil;
  }
  in.certificate->reasons = in.certificate->remarks = {evil};
  in.certificate->near_misses[0].what = evil;
  in.certificate->duplicates = {{evil, 2, {evil}}};
  in.certificate->counters[0].source = in.certificate->counters[0].counter = evil;
  const std::string page = html_report(in);
  keep("hostile.html", page);
  EXPECT_EQ(count(page, "<script"), 0u);
  EXPECT_EQ(count(page, "<img"), 0u);
  EXPECT_EQ(count(page, "\x1b"), 0u);
  EXPECT_EQ(count(page, "\xe2\x80\xae"), 0u);
}

TEST(Report, NothingIsKnown) {
  const std::string page = html_report({});
  keep("empty.html", page);
  EXPECT_NE(page.find("no certificate"), std::string::npos);
  EXPECT_NE(page.find("lowest seen unknown"), std::string::npos);
  EXPECT_NE(page.find("</html>"), std::string::npos);
}

TEST(Report, LongRolloutsAreCutAndSaySo) {
  ReportInput in = rollout();
  for (std::size_t i = 0; i < kMaxJournalRows + 5; ++i)
    in.entries.push_back({1, "R-7f3a", kStart + 71'000, core::Noted{{}, "again"}});
  const std::string page = html_report(in);
  EXPECT_NE(page.find("more entries:"), std::string::npos);
}

// WCAG: text 4.5, outlines 3.
double luminance(const std::string& hex) {
  const auto part = [&](std::size_t at) {
    const std::string two =
        hex.size() == 4 ? std::string(2, hex[1 + at]) : hex.substr(1 + at * 2, 2);
    const double c = std::stoi(two, nullptr, 16) / 255.0;
    return c <= 0.03928 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2);
}

double contrast(const std::string& a, const std::string& b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

TEST(Report, ColoursPassWcagAaInLightAndDark) {
  const std::string style = kStyle;
  const std::size_t middle = style.find("prefers-color-scheme:dark");
  for (const std::string& sheet :
       {style.substr(0, middle), style.substr(middle, style.find("box-sizing") - middle)}) {
    std::map<std::string, std::string> colours;
    const std::regex rule("--([a-z0-9-]+):(#[0-9a-f]+)");
    for (std::sregex_iterator it(sheet.begin(), sheet.end(), rule), end; it != end; ++it)
      colours[(*it)[1]] = (*it)[2];
    ASSERT_EQ(colours.size(), 27u);
    for (const char* ground : {"bg", "soft"}) {
      for (const char* text : {"fg", "dim", "good", "bad", "warn", "p50", "p95", "loss"})
        EXPECT_GE(contrast(colours[text], colours[ground]), 4.5) << text << " on " << ground;
      for (const char* phase : {"pre", "dra", "act", "ver", "rej", "soa", "rol"})
        EXPECT_GE(contrast(colours[std::string(phase) + "-s"], colours[ground]), 3.0) << phase;
    }
    for (const char* phase : {"pre", "dra", "act", "ver", "rej", "soa", "rol"})
      EXPECT_GE(contrast(colours["fg"], colours[std::string(phase) + "-f"]), 4.5) << phase;
    for (const char* ground : {"add", "del"})
      EXPECT_GE(contrast(colours["fg"], colours[ground]), 4.5) << ground;
  }
}

}  // namespace
}  // namespace hitless::report
