// The live tree: never wider or higher than the terminal, or the screen would fill with leftovers.
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "cli/progress_kinds.hpp"

namespace hitless::cli {
namespace {

core::State state_of(int instances) {
  core::State state;
  state.plan.rollout = "R-7f3a21";
  state.plan.service = "web";
  state.started_at = 1'000;
  for (int i = 0; i < instances; ++i) {
    core::Instance instance;
    instance.plan.id.value = "web@web" + std::to_string(i);
    instance.phase = core::Waiting{};
    state.instances.push_back(std::move(instance));
  }
  return state;
}

void finish(core::State* state, std::size_t index, core::DurationMs took) {
  core::Instance& instance = state->instances[index];
  instance.phase = core::Done{};
  instance.started_at = 1'000;
  instance.ended_at = 1'000 + took;
}

TEST(Tree, FitsIntoTheTerminal) {
  core::State state = state_of(500);
  for (std::size_t i = 0; i < 200; ++i) finish(&state, i, 5'000);
  core::Verifying verifying;
  verifying.last_health = "GET /healthz → " + std::string(300, 'x') + "ж界";
  state.instances[200].phase = verifying;
  state.instances[300].phase = core::Quarantined{"why"};
  state.instances[300].failure = std::string(200, 'y');
  for (const auto& [width, height] : {std::pair{80, 24}, {20, 8}, {200, 60}}) {
    Terminal t;
    t.width = width;
    t.height = height;
    const auto rows = tree_rows(state, 100'000, t, std::string(300, 'c'));
    EXPECT_LT(static_cast<int>(rows.size()), height);
    std::string all;
    for (const std::string& row : rows) {
      EXPECT_LT(static_cast<int>(display_width(row)), width) << row;
      all += row + "\n";
    }
    EXPECT_NE(all.find("web200 "), std::string::npos) << "what is in work is shown first\n" << all;
    EXPECT_NE(all.find("more"), std::string::npos);
    if (height >= 24) {
      EXPECT_NE(all.find("QUARANTINED"), std::string::npos) << all;
    }
  }
}

TEST(Tree, FewAreAllShownWithTheTimeThatIsLeft) {
  core::State state = state_of(3);
  Terminal t;
  EXPECT_EQ(tree_rows(state, 2'000, t, "")[0].find("left"), std::string::npos);
  finish(&state, 0, 5'000);
  const auto rows = tree_rows(state, 6'000, t, "9 probes, 0 lost");
  EXPECT_EQ(rows.size(), 6u);
  EXPECT_NE(rows[0].find("about 10s left"), std::string::npos) << rows[0];
  t.utf8 = false;
  for (const std::string& row : tree_rows(state, 6'000, t, "9 probes")) {
    for (const char c : row) EXPECT_LT(static_cast<unsigned char>(c), 0x80) << row;
  }
}

}  // namespace
}  // namespace hitless::cli
