#include "adapters/traffic/pg_wire.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "adapters/traffic/haproxy_for_tests.hpp"
#include "adapters/traffic/pg_auth.hpp"
#include "real_postgres.hpp"

namespace hitless::traffic {
namespace {

using Opened = Result<std::unique_ptr<PgConnection>>;
using tests::RealPostgres;

// Logs in, asks one thing, and gives the first field or the error's text.
std::string ask(PgLogin login, std::string sql) {
  return await<std::string>([&]() -> Task<std::string> {
    auto connection = co_await PgConnection::open(login, 2000);
    if (!connection) co_return describe(connection.error());
    auto rows = co_await (*connection)->query(sql, 2000);
    if (!rows) co_return describe(rows.error());
    co_return rows->rows.empty() ? rows->tag : rows->rows[0][0];
  });
}

PgLogin login_to(const RealPostgres& server, const std::string& user, const std::string& password) {
  return {*parse_socket_address(server.bouncer_socket()), user, "pgbouncer", password};
}

// The example of RFC 7677.
TEST(PgAuth, ScramHasTheShapeOfTheRfc) {
  Scram scram("pencil", "rOprNGfwEbeRWgbNEkqO");
  const auto last = scram.last(
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  // The RFC's example has n=user in what is signed; PostgreSQL leaves the name out, so that the
  // proof differs. What is the same is its shape, and that a wrong server is seen.
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->starts_with("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="));
  EXPECT_FALSE(scram.server_is_right("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

TEST(PgAuth, RefusesChallengesThatAreNone) {
  for (const char* challenge :
       {"", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=mine,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=mineX,s=!,i=4096", "r=mineX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        "r=mineX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2000000000", "r=mineX,i=4096"}) {
    EXPECT_FALSE(Scram("pencil", "mine").last(challenge)) << challenge;
  }
}

// With real servers: whether they let us in is the test of both answers.
TEST(PgWire, LogsInByEveryMethodAndReadsRows) {
  RealPostgres server;
  for (const char* method : {"trust", "md5", "scram-sha-256", "plain"}) {
    server.start_bouncer(std::string("auth_type=") + method + "\n");
    EXPECT_EQ(ask(login_to(server, "hitless", "secret"), "SHOW VERSION").substr(0, 9), "PgBouncer")
        << method;
    const std::string wrong = ask(login_to(server, "hitless", "wrong"), "SHOW VERSION");
    if (std::string(method) != "trust")
      EXPECT_NE(wrong.find("log-in as hitless"), std::string::npos) << method << ": " << wrong;
    server.stop_bouncer();
  }
  // PostgreSQL itself speaks it too.
  PgLogin direct{{true, server / ".s.PGSQL.5599", "", 0}, "postgres", "postgres", ""};
  EXPECT_EQ(ask(direct, "SELECT 'a'||chr(10)||'b', NULL"), "a\nb");
  EXPECT_NE(ask(direct, "SELECT 1/0").find("division by zero"), std::string::npos);
}

TEST(PgWire, AnErrorLeavesTheConnectionUsableAndATimeoutDoesNot) {
  RealPostgres server;
  PgLogin direct{{true, server / ".s.PGSQL.5599", "", 0}, "postgres", "postgres", ""};
  const bool fine = await<bool>([&]() -> Task<bool> {
    Opened connection = co_await PgConnection::open(direct, 2000);
    if (!connection) co_return false;
    const auto refused = co_await (*connection)->query("SELECT nothing", 2000);
    if (refused || refused.error().code != ErrorCode::refused) co_return false;
    const auto rows = co_await (*connection)->query("SELECT 2 AS two", 2000);
    if (!rows || rows->get(0, "two") != "2" || !rows->get(0, "three").empty()) co_return false;
    const auto late = co_await (*connection)->query("SELECT pg_sleep(5)", 50);
    if (late || late.error().code != ErrorCode::timed_out) co_return false;
    co_return !(*connection)->usable() && !(co_await (*connection)->query("SELECT 1", 1000));
  });
  EXPECT_TRUE(fine);
}

// Answers one connection with these bytes, then keeps it open.
std::string ask_a_liar(const std::string& bytes) {
  TempDir dir;
  const std::string path = dir.path() + "/liar";
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  ::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at);
  ::listen(listener, 1);
  std::thread server([&] {
    const int client = ::accept(listener, nullptr, nullptr);
    (void)!::write(client, bytes.data(), bytes.size());
    char rest[4096];
    while (::read(client, rest, sizeof rest) > 0) {
    }
    ::close(client);
  });
  const std::string said =
      ask({{true, path, "", 0}, "hitless", "pgbouncer", "secret"}, "SHOW HELP");
  server.join();
  ::close(listener);
  return said;
}

TEST(PgWire, AServerThatLiesIsAnErrorNotAHang) {
  using namespace std::string_literals;
  EXPECT_NE(ask_a_liar("HTTP/1.1 400 Bad Request\r\n\r\n").find("does not speak"),
            std::string::npos);
  EXPECT_NE(ask_a_liar("R\xff\xff\xff\xff"s).find("does not speak"), std::string::npos);
  EXPECT_NE(ask_a_liar("R\0\0\0\x08\0\0\0\x05"s).find("does not speak"),
            std::string::npos);  // no salt
  EXPECT_NE(ask_a_liar("R\0\0\0\x08\0\0\0\x07"s).find("kind of log-in"), std::string::npos);
  EXPECT_NE(ask_a_liar("R\0\0\0\x08\0\0\0\x0c"s).find("password"),
            std::string::npos);  // unasked end
  const std::string ready = "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"s;
  // A row of 32,767 fields that are not there; rows and no end; an escape in an error.
  EXPECT_NE(ask_a_liar(ready + "D\0\0\0\x06\x7f\xff"s).find("does not speak"), std::string::npos);
  EXPECT_NE(ask_a_liar(ready + "D\0\0\0\x06\0\0"s).find("did not end within"), std::string::npos);
  const std::string error = ask_a_liar(ready + "E\0\0\0\x0dMa\x1b[2Jb\0\0Z\0\0\0\x05I"s);
  EXPECT_EQ(error.find('\x1b'), std::string::npos) << error;
}

}  // namespace
}  // namespace hitless::traffic
