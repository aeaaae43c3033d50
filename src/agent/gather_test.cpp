#include "agent/gather.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hitless::agent {
namespace {

std::string text_of(const Gathered& gathered, Source source) {
  for (const Gathered::Piece& piece : gathered.pieces)
    if (piece.source == source) return piece.text;
  return {};
}

GatherTarget app() {
  GatherTarget target;
  target.unit = "app.service";
  target.port = 8080;
  return target;
}

TEST(Gather, SortsTheAnswerBySource) {
  const Gathered g = parse_gathered(
      "u ActiveState=failed\nu User=app\nj Nov 30 app[1]: it died\nd /dev/vda1 1 1 0 100% /\n"
      "s other.service\t411\tLISTEN 0 128 0.0.0.0:8080 0.0.0.0:*\nn 3\n"
      "f /etc/app/app.conf 600 root:root\nf /etc/app/b.conf 640 root:app\ne it broke\nz\n",
      app());
  EXPECT_EQ(text_of(g, Source::unit_status), "ActiveState=failed\nUser=app\n");
  EXPECT_EQ(text_of(g, Source::journal), "Nov 30 app[1]: it died\n");
  EXPECT_EQ(text_of(g, Source::sockets),
            "foreign listener on 0.0.0.0:8080 (pid 411, unit other.service)\n3 established\n");
  EXPECT_EQ(text_of(g, Source::file_stat),
            "/etc/app/app.conf 600 root:root unreadable by app\n/etc/app/b.conf 640 root:app\n");
  EXPECT_TRUE(g.not_had.empty());
}

TEST(Gather, OurOwnListenerIsNotForeign) {
  const Gathered g = parse_gathered(
      "s app.service\t7\tLISTEN 0 128 [::]:8080 [::]:*\n"
      "s \t\tLISTEN 0 128 0.0.0.0:8080 0.0.0.0:*\nz\n",
      app());
  EXPECT_EQ(text_of(g, Source::sockets).find("foreign"), std::string::npos)
      << "who holds it is not known for the second: not foreign";
}

// A log line cannot pass for another source: its letter comes first, whatever it holds.
TEST(Gather, ALogLineStaysALogLine) {
  const Gathered g =
      parse_gathered("j u Result=oom-kill\nj z\ne d /dev/vda1 1 1 0 100% /\nz\n", app());
  EXPECT_EQ(text_of(g, Source::unit_status), "");
  EXPECT_EQ(text_of(g, Source::disk), "");
  EXPECT_EQ(text_of(g, Source::journal), "u Result=oom-kill\nz\n");
}

TEST(Gather, WhatOthersChangedMeanwhileIsNamed) {
  const Gathered g = parse_gathered("c name=/etc/app.env by=other\nz\n", app());
  EXPECT_EQ(text_of(g, Source::changes), "name=/etc/app.env by=other\n");
}

TEST(Gather, WhatSystemdSaysIsASourceOfItsOwn) {
  const Gathered g = parse_gathered("m systemd[1]: app.service: Failed\nj app[7]: bye\nz\n", app());
  EXPECT_EQ(text_of(g, Source::manager), "systemd[1]: app.service: Failed\n");
  EXPECT_EQ(text_of(g, Source::journal), "app[7]: bye\n");
  EXPECT_FALSE(client_writable(Source::manager));
}

TEST(Gather, RemovedSettingsAreThoseThatAreNotSetAnew) {
  EXPECT_EQ(
      removed_settings("--- /etc/app.env\n+++ /etc/app.env\n@@ -1,4 +1,2 @@\n A=1\n-DB=2\n-B=2\n"
                       "+B=3\n-Environment=KEY=[redacted]\n-export LOG=x\n-not a setting\n"),
      "removed setting DB\nremoved setting KEY\nremoved setting LOG\n");
  EXPECT_EQ(removed_settings(""), "");
  EXPECT_EQ(removed_settings("-\n-=\n-a=1\n"), "");
}

TEST(Gather, PathsThatAChangeAddsAreLookedAt) {
  EXPECT_EQ(added_paths("--- /a\n+++ /b\n+cat /etc/app.conf >/dev/null || exit\n-x /gone\n /same\n"
                        "+k=\"/run/db key\" http://h/x ../up /etc/../passwd\n"),
            (std::vector<std::string>{"/etc/app.conf", "/dev/null", "/run/db"}));
}

TEST(Gather, WhatWasNotReadIsNamed) {
  const Gathered unreadable = parse_gathered("? j\n? e\nu ActiveState=failed\nz\n", app());
  EXPECT_EQ(unreadable.not_had, (std::vector<Source>{Source::journal, Source::error_log}));
  const Gathered broke_off = parse_gathered("u ActiveState=failed\n", app());
  const auto& missing = broke_off.not_had;
  EXPECT_NE(std::find(missing.begin(), missing.end(), Source::journal), missing.end());
}

}  // namespace
}  // namespace hitless::agent
