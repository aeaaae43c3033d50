#include "agent/triggers.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace hitless::agent {
namespace {

constexpr TimeMs kMinute = 60'000;

MemoryHistory history(int samples, const std::function<double(int)>& mib) {
  MemoryHistory made;
  for (int i = 0; i < samples; ++i)
    made.add("p1", {i * kMinute, static_cast<std::int64_t>(mib(i) * 1024)});
  return made;
}

// Not random, but it looks like it.
double noise(int i) {
  return static_cast<double>((i * 7919) % 13) - 6;
}

TEST(Triggers, ALeakIsASlope) {
  const auto found = growth(history(120, [](int i) { return 200 + i * 0.5 + noise(i) / 3; }));
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->mib_per_hour, 30, 1);
  EXPECT_EQ(found->samples, 120u);
  EXPECT_NE(describe(*found).find("MiB an hour"), std::string::npos);
}

TEST(Triggers, WhatIsNoLeak) {
  // Too early, also when it is steep.
  EXPECT_FALSE(growth(history(19, [](int i) { return 200 + i * 10.0; })));
  EXPECT_FALSE(growth(history(1, [](int) { return 9e6; })));
  EXPECT_FALSE(growth({}));
  // Level, with noise; one jump; a saw; a start that fills its caches; shrinking.
  EXPECT_FALSE(growth(history(200, [](int i) { return 300 + noise(i); })));
  EXPECT_FALSE(growth(history(200, [](int i) { return i < 20 ? 100.0 : 400.0; })));
  EXPECT_FALSE(growth(history(200, [](int i) { return 100 + (i % 20) * 10.0; })));
  EXPECT_FALSE(growth(history(200, [](int i) { return 100 + 300 * (1 - 1 / (1 + i / 8.0)); })));
  EXPECT_FALSE(growth(history(200, [](int i) { return 600 - i * 1.0; })));
  // Growth too small to matter.
  EXPECT_FALSE(growth(history(200, [](int i) { return 2000 + i * 0.1; })));
  EXPECT_FALSE(growth(history(200, [](int) { return 500.0; })));
}

TEST(Triggers, ANewProcessStartsAnew) {
  MemoryHistory made = history(100, [](int i) { return 200 + i * 1.0; });
  ASSERT_TRUE(growth(made));
  made.add("p2", {100 * kMinute, 300'000});
  EXPECT_EQ(made.samples.size(), 1u);
  made.add("p2", {50 * kMinute, 300'000});  // the clock went back
  EXPECT_EQ(made.samples.size(), 1u);
}

TEST(Triggers, ManySamplesKeepTheirSpan) {
  const MemoryHistory made = history(1'400, [](int i) { return 200 + i * 0.2; });
  EXPECT_LE(made.samples.size(), kMaxSamples + 1);
  EXPECT_GT(made.samples.back().at - made.samples.front().at, 12 * 60 * kMinute);
  EXPECT_TRUE(growth(made));
}

TEST(Triggers, HistoriesSurviveAFile) {
  const std::vector<NamedHistory> all = {{"web@web01", history(30, [](int i) { return i; })}};
  const auto back = histories_from_text(histories_to_text(all));
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].instance, "web@web01");
  EXPECT_EQ(back[0].history.samples.size(), 30u);
  EXPECT_EQ(back[0].history.samples[7].kib, all[0].history.samples[7].kib);
  for (const char* bad :
       {"", "\n\n", "x", "a b 1:", "a b :1", "a b 99999999999999999999:1", "a b 1-2"})
    for (const NamedHistory& each : histories_from_text(bad))
      EXPECT_TRUE(each.history.samples.empty()) << bad;
}

TEST(Triggers, Needrestart) {
  EXPECT_EQ(
      pending_units("NEEDRESTART-VER: 3.6\nNEEDRESTART-KSTA: 1\nNEEDRESTART-SVC: nginx.service\n"
                    "NEEDRESTART-SVC: app.service\nNEEDRESTART-SVC:\nNEEDRESTART-SVC: a b\n"),
      (std::vector<std::string>{"nginx.service", "app.service"}));
  EXPECT_TRUE(pending_units("").empty());
}

}  // namespace
}  // namespace hitless::agent
