// UTF-8, one character at a time; strict (no overlong forms, no surrogates, nothing past U+10FFFF).
#pragma once
#include <cstddef>
#include <string_view>

namespace hitless {

struct Decoded {
  char32_t code = 0;
  std::size_t size = 1;  // bytes to step over; 1 when not valid
  bool valid = false;
};

// text must not be empty.
[[nodiscard]] Decoded decode_utf8(std::string_view text);
// 0 for combining marks, 2 for wide East Asian characters and emoji, else 1.
[[nodiscard]] std::size_t width_of(char32_t code);
// Where the first broken byte is; npos when all is well.
[[nodiscard]] std::size_t find_broken_utf8(std::string_view text);

}  // namespace hitless
