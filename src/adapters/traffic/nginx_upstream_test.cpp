// The two edits of an upstream file, byte for byte.
#include "adapters/traffic/nginx_upstream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/traffic/nginx_lb_scripts.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using testing::HasSubstr;

const std::string kFile =
    "# by hand\nupstream web {\n  least_conn;\n  server 10.0.0.1:80 weight=5;\n"
    "  server 10.0.0.2:80; # the second\n  server 10.0.0.3:80 down;\n"
    "  server 10.0.0.4:80; server \"10.0.0.5:80\" backup;\n}\n"
    "upstream other { server 10.0.0.1:80; }\n";

AdminState state(const std::string& text, const char* server, const char* upstream = "web") {
  const auto found = find_server(text, upstream, server);
  return found ? found->admin : AdminState::unknown;
}

TEST(NginxUpstream, SaysWhoIsOutAndByWhoseHand) {
  EXPECT_EQ(state(kFile, "10.0.0.1:80"), AdminState::ready);
  EXPECT_EQ(state(kFile, "10.0.0.3:80"), AdminState::maint) << "no mark of ours";
  EXPECT_EQ(state(kFile, "10.0.0.5:80"), AdminState::ready) << "quoted";
  const auto marked = take_down(kFile, "web", "10.0.0.1:80");
  ASSERT_TRUE(marked);
  EXPECT_EQ(state(*marked, "10.0.0.1:80"), AdminState::drain);
  EXPECT_EQ(state(*marked, "10.0.0.1:80", "other"), AdminState::ready) << "only in its upstream";
}

TEST(NginxUpstream, TakenDownAndPutUpAgainIsByteForByteTheSame) {
  for (const char* server : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.4:80", "10.0.0.5:80"}) {
    const auto down = take_down(kFile, "web", server);
    ASSERT_TRUE(down) << server;
    EXPECT_NE(*down, kFile);
    EXPECT_EQ(*take_down(*down, "web", server), *down) << "again";
    const auto up = put_up(*down, "web", server);
    ASSERT_TRUE(up) << server;
    EXPECT_EQ(*up, kFile) << *down;
  }
  EXPECT_THAT(*take_down(kFile, "web", "10.0.0.1:80"),
              HasSubstr("server 10.0.0.1:80 weight=5 down; # drained by hitless\n"));
}

TEST(NginxUpstream, WhatOthersWroteIsKept) {
  EXPECT_EQ(*take_down(kFile, "web", "10.0.0.3:80"), kFile) << "out already, by another hand";
  const auto refused = put_up(kFile, "web", "10.0.0.3:80");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  const auto second = take_down(kFile, "web", "10.0.0.2:80");
  EXPECT_THAT(*second, HasSubstr("# the second"));
  // Somebody moved the word, or took only the word away.
  std::string moved = *take_down(kFile, "web", "10.0.0.1:80");
  moved.replace(moved.find("weight=5 down"), 13, "down weight=5");
  EXPECT_EQ(*put_up(moved, "web", "10.0.0.1:80"), kFile);
  std::string half = *take_down(kFile, "web", "10.0.0.1:80");
  half.replace(half.find(" down;"), 5, "");
  EXPECT_EQ(state(half, "10.0.0.1:80"), AdminState::ready);
  EXPECT_EQ(state(*take_down(half, "web", "10.0.0.1:80"), "10.0.0.1:80"), AdminState::drain);
}

TEST(NginxUpstream, WhatCannotBeMeantIsAnError) {
  EXPECT_EQ(find_server(kFile, "wbe", "10.0.0.1:80").error().code, ErrorCode::not_found);
  const auto near = find_server(kFile, "web", "10.0.0.1:8");
  EXPECT_EQ(near.error().code, ErrorCode::not_found);
  EXPECT_THAT(near.error().help, HasSubstr("did you mean 10.0.0.1:80?"));
  EXPECT_EQ(find_server("upstream web { server a; server a; }", "web", "a").error().code,
            ErrorCode::invalid);
  EXPECT_EQ(find_server("upstream web { server a; }\nupstream web { }", "web", "a").error().code,
            ErrorCode::invalid);
  EXPECT_FALSE(find_server("upstream web { server \"a; }", "web", "a"));
  EXPECT_EQ(state("upstream web { # server a down;\n server a; }", "a"), AdminState::ready);
  EXPECT_EQ(*servers_up(kFile, "web"), 4);
}

TEST(NginxLbScripts, SocketsAreMatchedAsTheKernelWritesThem) {
  EXPECT_EQ(socket_pattern("127.0.0.1:8080"),
            "0100007F:1F90|0000000000000000FFFF00000100007F:1F90");
  EXPECT_EQ(socket_pattern("[::1]:80"), "00000000000000000000000001000000:0050|-");
  EXPECT_EQ(socket_pattern("10.0.0.1"), socket_pattern("10.0.0.1:80"));
  EXPECT_EQ(socket_pattern("web01:80"), "");
  EXPECT_EQ(socket_pattern("unix:/run/x.sock"), "");
}

NginxLbView seen(double start, double mtime, double read_for = 0.01) {
  NginxLbView view;
  view.wall_before = 2000;
  view.uptime = 1000;
  view.wall_after = 2000 + read_for;
  view.workers = {{7, static_cast<std::int64_t>((start - 1000) * 100), false}, {6, 0, true}};
  view.mtime = mtime;
  return view;
}

TEST(NginxLbScripts, ATextThatIsYoungerThanTheWorkersWasNotRead) {
  EXPECT_EQ(loaded_since(seen(1900, 1800), 1800), Loaded::yes);
  EXPECT_EQ(loaded_since(seen(1700, 1800), 1800), Loaded::no);
  EXPECT_EQ(loaded_since(seen(1800, 1800), 1800), Loaded::unsure) << "the same hundredth";
  EXPECT_EQ(loaded_since(seen(1799.9, 1800, 0.5), 1800), Loaded::unsure) << "a slow machine";
}

TEST(NginxLbScripts, WhatIsNotTheScriptsOutputIsRefused) {
  const std::string good =
      "master 10 5\nworker 11 6 new\nclock 1.5 2.5 3.5\nlog 0\nsockets 1\nfile 1.25 " +
      std::string(64, 'a') + "\nupstream web {}\n";
  ASSERT_TRUE(parse_nginx_look(good));
  EXPECT_EQ(parse_nginx_look(good)->text, "upstream web {}\n");
  EXPECT_FALSE(parse_nginx_look(""));
  EXPECT_FALSE(parse_nginx_look(good.substr(0, 60)));
  EXPECT_FALSE(parse_nginx_look("master 10 5\nfile 1.25 " + std::string(64, 'a') + "\n"))
      << "no workers";
  EXPECT_FALSE(parse_nginx_look("worker x 6 new\n" + good));
  EXPECT_FALSE(parse_nginx_look("\x1b[31m\n" + good));
}

}  // namespace
}  // namespace hitless::traffic
