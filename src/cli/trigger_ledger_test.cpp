#include "cli/trigger_ledger.hpp"

#include <gtest/gtest.h>

namespace hitless::cli {
namespace {

TEST(TriggerLedger, ComesBackAsItWas) {
  agent::Case kept;
  using agent::Fate;
  for (const Fate fate :
       {Fate::none, Fate::running, Fate::succeeded, Fate::failed, Fate::refused, Fate::cut_off})
    kept.attempts.push_back({"P-1",
                             "h",
                             "R-1",
                             7,
                             fate != Fate::none,
                             fate,
                             {{"app@web01", "a \"quoted\"\nthing"}, {"app@web02", ""}}});
  const auto back = case_from_text(case_to_text(kept));
  ASSERT_TRUE(back);
  ASSERT_EQ(back->attempts.size(), kept.attempts.size());
  for (std::size_t i = 0; i < kept.attempts.size(); ++i) {
    EXPECT_EQ(back->attempts[i].fate, kept.attempts[i].fate);
    EXPECT_EQ(back->attempts[i].started, kept.attempts[i].started);
    EXPECT_EQ(back->attempts[i].covers, kept.attempts[i].covers);
    EXPECT_EQ(back->attempts[i].at, 7);
  }
}

TEST(TriggerLedger, WhatIsBrokenIsNoEmptyCase) {
  for (const char* text :
       {"", "[]", "{}", R"({"attempts":{}})", R"({"attempts":[1]})", R"({"attempts":[{}]})",
        R"({"attempts":[{"plan":"P","hash":"h","rollout":"R","at":1,"started":true,
            "fate":"fine","covers":[]}]})",
        R"({"attempts":[{"plan":"P","hash":"h","rollout":"R","at":1,"started":true,
            "fate":"none","covers":[["a"]]}]})"})
    EXPECT_FALSE(case_from_text(text)) << text;
}

}  // namespace
}  // namespace hitless::cli
