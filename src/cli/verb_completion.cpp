#include <cstdio>

#include "cli/app.hpp"

namespace hitless::cli {

int verb_completion(App& app) {
  std::fputs(completion_script(app.options.shell).c_str(), stdout);
  return kOk;
}

}  // namespace hitless::cli
