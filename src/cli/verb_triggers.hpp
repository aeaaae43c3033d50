// `watch --triggers`, a part of the verb watch.
#pragma once
#include "cli/app.hpp"

namespace hitless::cli {

int watch_triggers(App& app);

}  // namespace hitless::cli
