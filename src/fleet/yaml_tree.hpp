// YAML as a plain tree with places, built from yaml-cpp's events under hard limits: anchors,
// aliases, tags, deep nesting and too many nodes stop the parse at once, so neither time, memory
// nor stack can be used up by a small file. Map entries keep their order and their repeats.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/diagnostics.hpp"
#include "fleet/source.hpp"

namespace hitless::fleet {

struct Node {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  bool quoted = false;      // scalar in quotes or a block: it is text, whatever it looks like
  std::string text;         // scalar
  std::vector<Node> keys;   // map: keys[i] belongs to items[i]
  std::vector<Node> items;  // list and map
  Span span;                // null and collections inside a map: the span of their key

  [[nodiscard]] const Node* find(std::string_view key) const;  // first entry of that name
  [[nodiscard]] const Node* find_key(std::string_view key) const;
};

struct YamlLimits {
  static constexpr int kMaxDepth = 32;
  static constexpr int kMaxNodes = 10'000;
};

// Empty when it could not be parsed; the reason is in diagnostics.
[[nodiscard]] std::optional<Node> parse_yaml(const Source& source, Diagnostics& diagnostics);

}  // namespace hitless::fleet
