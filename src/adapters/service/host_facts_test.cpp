#include "adapters/service/host_facts.hpp"

#include <gtest/gtest.h>

namespace hitless::service {
namespace {

constexpr const char* kBoot = "8d1f2c6e-0000-4000-8000-000000000001";

TEST(HostFacts, ReadsBootAndReasons) {
  const auto facts = parse_host_facts(
      std::string("b ") + kBoot + "\ns running\nr\np linux-image-6.1.0-40-amd64\np libc6\nz\n",
      "web01");
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->boot_id, kBoot);
  EXPECT_TRUE(facts->systemd);
  EXPECT_FALSE(facts->still_booting());
  EXPECT_TRUE(facts->reboot_required);
  EXPECT_EQ(facts->reboot_reason, "linux-image-6.1.0-40-amd64, libc6");
}

TEST(HostFacts, WithoutSystemdNobodyRebootsIt) {
  const auto facts = parse_host_facts(std::string("b ") + kBoot + "\nz\n", "web01");
  ASSERT_TRUE(facts);
  EXPECT_FALSE(facts->systemd);
  EXPECT_FALSE(facts->reboot_required);
}

TEST(HostFacts, WhatIsCutOffOrGarbledIsNoBoot) {
  for (const std::string text :
       {"", "z\n", "b \nz\n", "b 8d1f2c6e\nz\n", "b 8d1f2c6e-0000-4000-8000-000000000001\n",
        "b ../../etc/passwd-0000-4000-8000-0000001\nz\n"}) {
    EXPECT_FALSE(parse_host_facts(text, "web01")) << text;
  }
}

}  // namespace
}  // namespace hitless::service
