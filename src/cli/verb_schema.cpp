#include <cstdio>

#include "cli/app.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

int verb_schema(App&) {
  std::puts(fleet::json_schema().c_str());
  return kOk;
}

}  // namespace hitless::cli
