// A table whose rows are each for several directives.
#pragma once
#include <cstddef>
#include <map>
#include <string>

#include "base/text.hpp"

namespace hitless::confdiff {

// By each of a row's `names`, which stand between blanks. The table has to live as long.
template <class Row, std::size_t Size>
std::map<std::string, const Row*> rows_by_name(const Row (&table)[Size]) {
  std::map<std::string, const Row*> rows;
  for (const Row& row : table) {
    for (const std::string& name : split(row.names, ' ')) {
      if (!name.empty()) rows.emplace(name, &row);
    }
  }
  return rows;
}

}  // namespace hitless::confdiff
