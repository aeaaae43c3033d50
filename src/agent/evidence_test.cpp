#include "agent/evidence.hpp"

#include <gtest/gtest.h>

namespace hitless::agent {
namespace {

std::string as_rules_see(Source source, std::string_view text) {
  EvidenceStore store;
  const Evidence* evidence = store.add(source, "web01", 1, text);
  return lines_of(*evidence).front().text;
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
