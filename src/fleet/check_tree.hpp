// Checks the shape of a fleet file against the key tables: unknown and repeated keys, wrong types,
// missing keys, values that do not fit. Everything is reported; nothing is decided here.
#pragma once
#include "fleet/diagnostics.hpp"
#include "fleet/source.hpp"
#include "fleet/yaml_tree.hpp"

namespace hitless::fleet {

void check_tree(const Node& root, const Source& source, Diagnostics& diagnostics);

}  // namespace hitless::fleet
