// Line-based differences (Myers), bounded in time: beyond kMaxEdits the part that differs is shown
// as removed and added in whole. What comes out is for reading: escaped and redacted, not for
// patch(1).
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hitless::confdiff {

inline constexpr std::size_t kMaxEdits = 2000;  // edit distance searched for
inline constexpr std::size_t kMaxDiffBytes = 32u
                                             << 20;  // of both texts; above: only said to differ
inline constexpr std::size_t kMaxDiffOutput = 1u << 20;  // of output; the rest is counted

struct LineEdit {
  char kind = ' ';         // ' ' kept, '-' removed, '+' added
  std::size_t before = 0;  // index of the line in each text
  std::size_t after = 0;
};
[[nodiscard]] std::vector<LineEdit> line_edits(const std::vector<std::string_view>& before,
                                               const std::vector<std::string_view>& after);

// "--- path\n+++ path\n@@ -1,3 +1,4 @@\n …"; empty when the texts are equal.
[[nodiscard]] std::string unified_diff(std::string_view before, std::string_view after,
                                       std::string_view path, std::size_t context_lines = 3);

}  // namespace hitless::confdiff
