#include "agent/evidence.hpp"

#include <gtest/gtest.h>

namespace hitless::agent {
namespace {

std::string as_rules_see(Source source, std::string_view text) {
  EvidenceStore store;
  const Evidence* evidence = store.add(source, "web01", 1, text);
  return lines_of(*evidence).front().text;
}

// gunicorn, http.server and many others write their access log into the journal.
TEST(Evidence, LinesOfAnAccessLogLoseAllThatTheClientWroteAlsoInTheJournal) {
  const std::vector<std::pair<std::string, std::string>> lines = {
      {R"(web01 app[7]: 10.0.0.9 - - [30/Nov/2026:17:00:01 +0000] "GET /No space left HTTP/1.1" 502 5)",
       "web01 app[7]: 10.0.0.9 <request> 502 5"},
      {R"(10.0.0.9 - No space left [30/Nov/2026 17:00:01] "GET / HTTP/1.1" 200 -)",
       "10.0.0.9 <request> 200 -"},
      {R"(10.0.0.9 - - [30/Nov/2026:17:00:01 +0000] "GET /" 200 5 "-" "] "No space left" x")",
       "10.0.0.9 <request>"},
  };
  for (const auto& [line, seen] : lines) {
    EvidenceStore store;
    const auto read = lines_of(*store.add(Source::journal, "web01", 1, line));
    ASSERT_EQ(read.size(), 1U);
    EXPECT_EQ(read[0].text, seen);
    EXPECT_TRUE(read[0].tainted);
    EXPECT_EQ(read[0].quoted, line);
  }
}

TEST(Evidence, AnAskedForPathIsTheClientsAlsoWhereNginxQuotesItAsAFile) {
  EXPECT_EQ(
      as_rules_see(
          Source::error_log,
          R"([error] 37#37: *24 open() "/usr/share/nginx/html/EVIL" failed (2: No such )"
          R"(file or directory), client: 10.0.0.1, server: _, request: "GET /EVIL HTTP/1.1")"),
      "[error] 37#37: *24 open() <path> failed (2: No such file or directory), client: "
      "10.0.0.1, server: _, request: <request>");
  EXPECT_EQ(as_rules_see(Source::error_log,
                         R"([error] directory index of "/x/a" b/" is forbidden, client: 10.0.0.1)"),
            "[error] directory index of <path> is forbidden, client: 10.0.0.1");
  // A line that no request caused stays as it is: rules need the file.
  const char* own = R"([emerg] open() "/etc/nginx/x.conf" failed (13: Permission denied))";
  EXPECT_EQ(as_rules_see(Source::error_log, own), own);
}

}  // namespace
}  // namespace hitless::agent
