#include <gtest/gtest.h>

#include "base/text.hpp"

namespace hitless {
namespace {

struct Case {
  const char* in;
  const char* out;
};

class Redacts : public testing::TestWithParam<Case> {};
TEST_P(Redacts, Exactly) {
  EXPECT_EQ(redact(GetParam().in), GetParam().out);
  EXPECT_EQ(redact(GetParam().out), GetParam().out) << "a second pass must change nothing";
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Redacts,
    testing::Values(
        Case{"password=hunter2 user=bob", "password=[redacted] user=bob"},
        Case{"DB_PASSWORD: hunter2", "DB_PASSWORD: [redacted]"},
        Case{"PGPASSWORD=a,b;c next", "PGPASSWORD=[redacted] next"},
        Case{"token=abc, user=bob", "token=[redacted], user=bob"},
        Case{"?api_key=abc&x=1", "?api_key=[redacted]&x=1"},
        Case{"{\"password\": \"a\\\"b c\", \"x\": 1}", "{\"password\": \"[redacted]\", \"x\": 1}"},
        Case{"{\\\"token\\\":\\\"s3\\\",\\\"x\\\":1}",
             "{\\\"token\\\":\\\"[redacted]\\\",\\\"x\\\":1}"},
        Case{"secret = 'a b' # note", "secret = '[redacted]' # note"},
        Case{"'client_secret' => 'a b',", "'client_secret' => '[redacted]',"},
        Case{"Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted]"},
        Case{"proxy_set_header Authorization \"Basic dXNl\";",
             "proxy_set_header Authorization \"[redacted]\";"},
        Case{"Set-Cookie: sid=1; Path=/\r\nServer: x", "Set-Cookie: [redacted]\r\nServer: x"},
        Case{"curl -H 'Cookie: a=b; c' http://x", "curl -H 'Cookie: [redacted]' http://x"},
        Case{"got Bearer abc.def-ghi here", "got Bearer [redacted] here"},
        Case{"postgres://app:p%40ss@db:5432/x", "postgres://[redacted]@db:5432/x"},
        Case{"https://user:p@ss@h/x", "https://[redacted]@h/x"},
        Case{"https://tok3n@github.com/x", "https://[redacted]@github.com/x"},
        Case{"https://hooks.slack.com/services/T0/B0/xyz ok",
             "https://hooks.slack.com[redacted] ok"},
        Case{"key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used"},
        Case{"xoxb-123456789012-abcdef", "[redacted]"},
        Case{"ghp_0123456789012345678901234567", "[redacted]"},
        Case{"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def", "jwt [redacted]"},
        Case{"mysql --password hunter2 -h db", "mysql --password [redacted] -h db"},
        Case{"stats auth admin:hunter2", "stats auth [redacted]"},
        Case{"user bob insecure-password hunter2", "user bob insecure-password [redacted]"},
        Case{"password=\"unterminated and on\nnext", "password=\"[redacted]\nnext"},
        Case{"password: ${DB_PASS:-hunter2}", "password: [redacted]"},
        Case{"db.pass = x", "db.pass = [redacted]"}));

INSTANTIATE_TEST_SUITE_P(
    StaysReadable, Redacts, testing::ValuesIn([] {
      static const char* plain[] = {
          "FATAL: password authentication failed for user \"app\"",
          "proxy_pass http://up;",
          "web.env:7 DB_PASSWORD_FILE=/run/secrets/db",
          "listen 80; server_name a.example;",
          "ssh://deploy@web01:22/x",
          "http://10.0.0.1:8080/healthz?x=a@b",
          "cookie SRV insert indirect nocache",
          "token\n: x",
          "secret: \"${env:HOOK_SECRET}\", token: ${file:/run/x-y}",
          "2026/02/18 14:05:13 [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
          "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
          "AKIAIOSFODNN7EXAMPLEX is one too long",
          ""};
      std::vector<Case> cases;
      for (const char* text : plain) cases.push_back({text, text});
      return cases;
    }()));

TEST(Redact, PrivateKeysGoWholly) {
  EXPECT_EQ(redact("a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\nnNz\n-----END OPENSSH PRIVATE "
                   "KEY-----\nz"),
            "a\n[redacted]\nz");
  EXPECT_EQ(redact("{\"k\":\"-----BEGIN PRIVATE KEY-----\\nMII\\n-----END PRIVATE KEY-----\\n\"}"),
            "{\"k\":\"[redacted]\\n\"}");
  EXPECT_EQ(redact("x -----BEGIN RSA PRIVATE KEY-----\nMII cut off here"), "x [redacted]");
}

TEST(Redact, LongInputsStayLinear) {
  // Each of these made some redactor quadratic once; the test only has to end.
  const std::size_t size = 300'000;
  for (const std::string piece :
       {"password ", "a://", "-----BEGIN ", "token=", "\\\"", "AKIA", "--x "}) {
    std::string text;
    while (text.size() < size) text += piece;
    EXPECT_FALSE(redact(text).empty());
  }
  EXPECT_EQ(redact(std::string(size, 'a')).size(), size);
  EXPECT_EQ(redact("password=" + std::string(size, 'a')), "password=[redacted]");
}

}  // namespace
}  // namespace hitless
