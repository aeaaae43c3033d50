// One long text per code, for `hitless explain`.
#pragma once
#include <span>

namespace hitless::fleet {

struct Explanation {
  const char* code;
  const char* title;
  const char* meaning;  // what it means
  const char* why;      // why it matters
  const char* bad;      // an example of it
  const char* good;     // and how it should be
};

[[nodiscard]] std::span<const Explanation> file_explanations();   // HL00xx, HL01xx
[[nodiscard]] std::span<const Explanation> fleet_explanations();  // HL02xx and up

}  // namespace hitless::fleet
