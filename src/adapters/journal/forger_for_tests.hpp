// What somebody does to a journal who knows all about it but the private key.
#pragma once
#include "adapters/journal/chain.hpp"
#include "adapters/journal/journal_for_tests.hpp"
#include "adapters/journal/rows.hpp"
#include "adapters/journal/seal.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {

// Seal and note of the last commit as they would be, had the journal always been like this.
inline void seal_again(const TempDir& dir) {
  Head head;
  {
    auto db = Database::open(dir.db(), Access::read_write);
    head = read_head(*db).value();
    ASSERT_TRUE(db->checkpoint().value());
  }
  const auto digest = digest_database_file(dir.db());
  ASSERT_TRUE(write_durably(seal_path(dir.db()), seal_to_text({head, *digest})).has_value());
  ASSERT_TRUE(write_durably(head_path(dir.db()), head_to_text(head)).has_value());
}

// What a forger does who knows all but the key: change, chain anew, seal anew.
inline void forge(const TempDir& dir, const std::string& sql) {
  edit(dir, sql);
  {
    auto db = Database::open(dir.db(), Access::read_write);
    std::vector<Line> lines;
    auto rows = db->prepare(std::string(select_lines) + "ORDER BY seq");
    while (rows->step().value()) lines.push_back(line_of(*rows));
    std::string prev(genesis);
    ASSERT_TRUE(db->exec("DELETE FROM entries").has_value());
    for (Line& line : lines) {
      line.prev = prev;
      prev = line.hash = hash_line(line);
      ASSERT_TRUE(insert_line(*db, line).has_value());
    }
    ASSERT_TRUE(write_meta(*db, "head_seq", std::to_string(lines.size())).has_value());
    ASSERT_TRUE(write_meta(*db, "head_hash", prev).has_value());
  }
  seal_again(dir);
}

}  // namespace hitless::journal
