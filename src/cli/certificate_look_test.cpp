#include "cli/certificate_look.hpp"

#include <gtest/gtest.h>

namespace hitless::cli {
namespace {

TEST(Certificates, WhatReplacesTheOneThatIsShown) {
  const CertificateFacts shown{"a", 0, 1'000, {"dns:shop.example"}};
  const auto with = [](const char* hash, TimeMs from, TimeMs to, const char* name) {
    return std::vector<CertificateFacts>{{hash, from, to, {name}}};
  };
  const char* same = "dns:shop.example";
  EXPECT_NE(renewed(shown, with("b", 500, 2'000, same), 900), nullptr);
  EXPECT_NE(renewed(shown, with("b", 500, 2'000, same), 1'100), nullptr) << "it has ended";
  EXPECT_EQ(renewed(shown, {}, 900), nullptr);
  EXPECT_EQ(renewed(shown, {shown}, 900), nullptr) << "the same";
  EXPECT_EQ(renewed(shown, with("b", 0, 800, same), 700), nullptr) << "an older one";
  EXPECT_EQ(renewed(shown, with("b", 950, 2'000, same), 900), nullptr) << "not valid yet";
  EXPECT_EQ(renewed(shown, with("b", 500, 2'000, same), 2'100), nullptr) << "no longer valid";
  EXPECT_EQ(renewed(shown, with("b", 500, 2'000, "dns:other.example"), 900), nullptr);
}

}  // namespace
}  // namespace hitless::cli
