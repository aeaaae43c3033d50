// The script that reads and changes claims on a host, in one step under their lock. How they lie
// there: ports/claim_files.hpp.
#pragma once
#include <string>

namespace hitless::coordination {

// $1 verb (acquire, renew, release, check), $2 service, $3 port, $4 epoch (acquire: the one to be
// above), $5 token, $6 seconds, $7 flag (acquire: the home's lock is held; renew: the lease has not
// ended, so a claim that is gone may be put back), $8 home, $9 rollout, $10 who.
// Prints the epoch; with claim_held: epoch, seconds left, since, rollout and who of the holder.
[[nodiscard]] std::string claim_script();

inline constexpr int claim_held = 83;
inline constexpr int claim_gone = 85;

}  // namespace hitless::coordination
