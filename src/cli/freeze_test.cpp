#include "cli/freeze.hpp"

#include <gtest/gtest.h>

namespace hitless::cli {
namespace {

fleet::TimeRange from_to(TimeMs from, TimeMs to) {
  fleet::TimeRange range;
  range.name = "year end";
  range.time_zone = "UTC";
  range.once = true;
  range.from = from;
  range.to = to;
  return range;
}

TEST(Freeze, HoldsForItsServicesAndNobodyElse) {
  fleet::Fleet fleet;
  fleet.freezes.push_back({from_to(100, 60'000), {"web"}});
  const Status held = check_freeze(fleet, {"web"}, 100);
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().what, "the freeze \"year end\" holds until 1970-01-01 00:01 UTC");
  EXPECT_FALSE(check_freeze(fleet, {"app", "web"}, 100)) << "a host with both";
  EXPECT_TRUE(check_freeze(fleet, {"app"}, 100));
  EXPECT_TRUE(check_freeze(fleet, {"web"}, 60'000));
  EXPECT_TRUE(check_freeze(fleet, {"web"}, 99));
  fleet.freezes[0].services.clear();
  EXPECT_FALSE(check_freeze(fleet, {"app"}, 100)) << "all";
}

TEST(Freeze, WindowsOfEachServiceHaveToBeOpen) {
  fleet::Fleet fleet;
  EXPECT_TRUE(check_windows(fleet, {"web"}, 5));
  fleet.services["app"].policy.windows = {from_to(100, 200), from_to(300, 400)};
  fleet.services["web"];
  EXPECT_TRUE(check_windows(fleet, {"web"}, 5)) << "it has none";
  EXPECT_FALSE(check_windows(fleet, {"web", "app"}, 5));
  EXPECT_FALSE(check_windows(fleet, {"app"}, 250));
  EXPECT_TRUE(check_windows(fleet, {"app"}, 350));
  EXPECT_FALSE(check_windows(fleet, {"app"}, 400));
}

}  // namespace
}  // namespace hitless::cli
