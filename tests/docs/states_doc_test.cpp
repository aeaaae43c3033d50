// docs/STATES.md holds the transition table for people; this keeps it the one of the code.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "core/names.hpp"
#include "core/transitions.hpp"

namespace hitless::core {
namespace {

const std::string kPath = std::string(HITLESS_SOURCE_DIR) + "/docs/STATES.md";
const std::string kBegin = "<!-- transitions: begin -->\n";
const std::string kEnd = "<!-- transitions: end -->";

std::string as_markdown() {
  std::string text = "| from | to | what it takes |\n|---|---|---|\n";
  for (const Transition& step : transitions()) {
    text += "| `" + std::string(to_string(step.from)) + "` | `" + std::string(to_string(step.to)) +
            "` | " + std::string(step.needs) + " |\n";
  }
  return text;
}

TEST(StatesDoc, HasTheTransitionTableOfTheCode) {
  std::ifstream file(kPath);
  ASSERT_TRUE(file.is_open()) << kPath;
  std::ostringstream content;
  content << file.rdbuf();
  const std::string text = content.str();
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos) << kBegin << " is missing in " << kPath;
  ASSERT_NE(end, std::string::npos) << kEnd << " is missing in " << kPath;
  ASSERT_LT(begin, end);
  const std::size_t from = begin + kBegin.size();
  EXPECT_EQ(text.substr(from, end - from), as_markdown())
      << "put this between the marks in " << kPath << ":\n"
      << as_markdown();
}

}  // namespace
}  // namespace hitless::core
