#include "witness/session.hpp"

#include <gtest/gtest.h>

namespace hitless::witness {
namespace {

ProberConfig to_nowhere() {
  ProberConfig config;
  config.address = "127.0.0.1";
  config.port = 1;
  config.rate_per_s = 200;
  return config;
}

TEST(Session, TellsItsProbersWhatTheJournalSays) {
  Session watch({{"http://nowhere/", to_nowhere()}}, {"web@web01"});
  watch.start();
  watch.enter(Window::rollout);
  watch.saw(core::Advanced{{"web@web01"}, core::PhaseName::waiting, core::PhaseName::acting, ""});
  watch.saw(core::Noted{{"web@web01"}, "not a step"});
  watch.enter(Window::after);
  const Watched result = watch.finish();
  ASSERT_EQ(result.probers.size(), 1u);
  const auto& marks = result.probers[0].seen.marks;
  ASSERT_EQ(marks.size(), 3u);
  EXPECT_EQ(marks[1].instance, "web@web01");
  EXPECT_EQ(marks[1].phase, core::PhaseName::acting);
  EXPECT_NE(result.certificate.verdict, Verdict::confirmed);
}

TEST(Session, WhatDidNotStartOrWasNeverReadIsUnknown) {
  ProberConfig bad = to_nowhere();
  bad.rate_per_s = 0;
  Session watch({{"http://nowhere/", bad}}, {});
  watch.expect({SourceKind::host, "web01"});
  watch.start();
  watch.enter(Window::rollout);
  watch.enter(Window::after);
  const Watched result = watch.finish();
  EXPECT_EQ(result.certificate.verdict, Verdict::unknown);
  std::string reasons;
  for (const std::string& reason : result.certificate.reasons) reasons += reason + "\n";
  EXPECT_NE(reasons.find("did not start: prober: rate must be"), std::string::npos) << reasons;
  EXPECT_NE(reasons.find("web01 was never read"), std::string::npos) << reasons;
}

}  // namespace
}  // namespace hitless::witness
