// `hitless audit verify`: is the journal what was written, all of it and nothing else?
//
// Looks only; changes no byte of the journal or its seal, and works while a rollout is running.
// With a seal the whole file is compared to it; the rows are checked in any case. What it cannot
// see: a file replaced together with its seal by someone who may write here. Compare the head hash
// with one kept elsewhere.
#pragma once
#include <string>

#include "adapters/journal/database.hpp"
#include "ports/journal.hpp"

namespace hitless::journal {

enum class Depth {
  full,
  quick,  // a sealed file that equals its seal is not read row by row again
};

// The report says what is wrong with the content; an Error, that it could not be had at all.
[[nodiscard]] Result<ports::ChainReport> verify_journal(const std::string& dir,
                                                        Depth depth = Depth::full);

// Rows, chain, derived tables and SQLite's own structure. For verify_journal.
void check_rows(Database& db, ports::ChainReport& report);

}  // namespace hitless::journal
