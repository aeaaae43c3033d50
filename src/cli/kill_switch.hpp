// The kill switch: a file in the state folder. While it is there no rollout begins, and one that
// runs stops at its next safe point.
//
// Anybody may engage it, agents too; only a person at the command line releases it. It is one
// durable file, apart from the journal, so that it works when the journal does not. A file that
// cannot be read counts as engaged: unknown is never good.
#pragma once
#include <string>

#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless::cli {

struct KillSwitch {
  bool engaged = false;
  std::string by, reason;
  TimeMs at = 0;
};

[[nodiscard]] KillSwitch read_kill_switch(const std::string& state_dir);
// The first one stays when it is engaged already.
[[nodiscard]] Status engage_kill_switch(const std::string& state_dir, const std::string& by,
                                        const std::string& reason);
[[nodiscard]] Status release_kill_switch(const std::string& state_dir);
// "engaged by alice@ctl1 at …: reason"
[[nodiscard]] std::string describe(const KillSwitch& kill_switch);
// Empty: it is not engaged.
[[nodiscard]] Status check_kill_switch(const std::string& state_dir);

}  // namespace hitless::cli
