// Checks of the journal that a test leaves out, one at a time, to see that another journal would
// then pass for the real one: a check that can be left out unnoticed would prove nothing.
//
// Only builds with HITLESS_FAILPOINTS (never a release) can: in all others planted() is false.
#pragma once

namespace hitless::journal {

enum class LeftOut {
  nothing,
  hash_of_an_entry,     // is it the hash of what stands there?
  chain,                // does each entry follow from the one before it?
  seal,                 // is the file, to the byte, what was closed?
  note_of_last_commit,  // is the last entry the one that was committed last?
  signed_head,          // is the entry of the signed head there?
  signature,            // is the signed head signed by our key?
  history,              // do the other tables follow from the entries?
};

void leave_out(LeftOut check);
[[nodiscard]] bool planted(LeftOut check);

}  // namespace hitless::journal
