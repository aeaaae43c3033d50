// Standard output and error that cannot end a rollout: a terminal that was closed, a `| head` that
// has seen enough or a full disk under a log would otherwise stop it with an instance out of
// rotation.
//
// - What cannot be written is dropped, from the first failure on. What a rollout did stands in the
//   journal.
// - Results that were lost are not hidden: finish_streams turns success into an error, unless the
//   reader itself has gone.
#pragma once

namespace hitless::cli {

void guard_streams();
// The exit code to end with.
[[nodiscard]] int finish_streams(int code);

}  // namespace hitless::cli
