// `hitless audit verify`: is the journal what was written, all of it and nothing else?
//
// Looks only; changes no byte of the journal or its seal, and works while a rollout is running.
// With a seal the whole file is compared to it; the rows are checked in any case, and the signed
// head must be one of them. What it cannot see: a folder replaced as a whole by an older copy of
// itself, or signed anew by someone who has the key. A signed head and a public key that were kept
// elsewhere (Trust) show that too.
#pragma once
#include <string>
#include <vector>

#include "adapters/journal/database.hpp"
#include "adapters/journal/signed_head.hpp"
#include "ports/journal.hpp"

namespace hitless::journal {

enum class Depth {
  full,
  first_problem,  // as full, but enough is known when one thing is wrong
  quick,          // a sealed file that equals its seal is not read row by row again
};

// What is known from elsewhere than the journal's own folder.
struct Trust {
  std::optional<PublicKey> key;   // instead of journal.pub, which must then be the same
  std::vector<SignedHead> heads;  // kept elsewhere: each must be of this journal
};

struct Report : ports::ChainReport {
  std::optional<SignedHead> signed_head;  // the one beside the journal
};

// The report says what is wrong with the content; an Error, that it could not be had at all.
[[nodiscard]] Result<Report> verify_journal(const std::string& dir, Depth depth = Depth::full,
                                            const Trust& trust = {});

// Something that an entry must be, known from elsewhere than the rows.
struct Expected {
  std::int64_t seq = 0;
  std::string hash;     // or its first digits
  std::string problem;  // when the entry is another one: "is not …"
};

// Rows, chain, derived tables and SQLite's own structure. For verify_journal.
void check_rows(Database& db, const std::vector<Expected>& expected, ports::ChainReport& report);

}  // namespace hitless::journal
