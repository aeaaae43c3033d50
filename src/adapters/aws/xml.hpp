// The XML that AWS answers with, as a small tree. Strict and bounded: no DTD (so no entities of the
// answer's own), at most so deep and so many elements; anything else is an error.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::aws {

struct Xml {
  std::string name;  // without namespace prefix
  std::string text;  // of this element alone, trimmed
  std::vector<Xml> children;

  // The first child of that name; nullptr: none. A path "a/b" goes down.
  [[nodiscard]] const Xml* find(std::string_view path) const;
  // Its text; empty when it is not there.
  [[nodiscard]] std::string value(std::string_view path) const;
  // The <member> or <item> children of the child of that name.
  [[nodiscard]] std::vector<const Xml*> list(std::string_view path) const;
};

[[nodiscard]] Result<Xml> parse_xml(std::string_view text);

}  // namespace hitless::aws
