// What apt said, read; the scripts themselves run in tests/e2e/patch_test.py against a real apt.
#include "adapters/service/apt.hpp"

#include <gtest/gtest.h>

#include "adapters/service/stale_script.hpp"
#include "adapters/service/test_host.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

TEST(Apt, ReadsChangesAndTheirWayBack) {
  const auto facts = parse_pending(
      "h linux-image-amd64\nc nginx|1.22.1-9|1.22.1-9+deb12u2|archive\n"
      "c libssl3:amd64|3.0.15-1~deb12u1|3.0.17-1~deb12u2|\n"
      "c new-one||1:2.0-1|\nz\n",
      "web01");
  ASSERT_TRUE(facts);
  ASSERT_EQ(facts->changes.size(), 3U);
  EXPECT_EQ(facts->changes[0].way_back, "archive");
  EXPECT_EQ(facts->changes[1].name, "libssl3:amd64");
  EXPECT_TRUE(facts->changes[1].way_back.empty());
  EXPECT_TRUE(facts->changes[2].from.empty());
  ASSERT_EQ(facts->checks.size(), 1U);
  EXPECT_EQ(facts->checks[0].status, core::CheckStatus::pass);
}

TEST(Apt, TroubleStopsTheChecklist) {
  for (const char* line : {"a E: Unable to locate package x", "d The following packages are broken",
                           "l E: Could not get lock /var/lib/dpkg/lock-frontend", "r nginx-core"}) {
    const auto facts = parse_pending(std::string(line) + "\nz\n", "web01");
    ASSERT_TRUE(facts) << line;
    ASSERT_EQ(facts->checks.size(), 1U) << line;
    EXPECT_EQ(facts->checks[0].status, core::CheckStatus::fail) << line;
  }
}

TEST(Apt, AnAnswerThatIsNotWholeIsNone) {
  for (const char* text :
       {"", "c nginx|1|2|archive\n", "c nginx|1|2\nz\n", "c -o|1|2|archive\nz\n",
        "c nginx|1|2;reboot|archive\nz\n", "c a b|1|2|\nz\n", "c nginx|$(x)|2|archive\nz\n"}) {
    EXPECT_FALSE(parse_pending(text, "web01")) << text;
  }
}

TEST(Apt, PackageNamesAreNoOptions) {
  for (const char* name : {"nginx", "libssl3:amd64", "libstdc++6", "g++-12"})
    EXPECT_TRUE(is_package_name(name)) << name;
  for (const char* name :
       {"", "-o", "--allow-downgrades", "a b", "a=1", "../x", "$(x)", "a;b", "a\n"})
    EXPECT_FALSE(is_package_name(name)) << name;
}

// A folder on a command line belongs to all packages that put something there: each upgrade of any
// of them would have been a reason for a restart.
TEST(Apt, AFolderOrAPatternOnACommandLineIsNobodysFile) {
  TestHost host;
  const auto owners = [&](const std::string& words) {
    const auto ran = wait_for(host.exec(
        {"sh", "-c", std::string(stale_functions) + "owners " + words}, {}, 20'000, false));
    return std::string(trim(ran.value().out));
  };
  EXPECT_EQ(owners("/usr/bin/env"), "coreutils");
  EXPECT_EQ(owners("/ /etc /usr /usr/ /usr/bin /var/lib/ --config=/etc relative"), "");
  EXPECT_EQ(owners("'/usr/bin/en?' '/usr/bin/[e]nv' '/usr/*'"), "");
}

}  // namespace
}  // namespace hitless::service
