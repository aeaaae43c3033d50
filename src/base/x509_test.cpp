#include "base/x509.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace hitless {
namespace {

// Made by the real openssl, so that both read the same.
std::string made_by_openssl(const std::string& arguments) {
  char folder[] = "/tmp/hitless-x509-XXXXXX";
  const std::string dir = mkdtemp(folder);
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
      "-keyout " +
      dir + "/key.pem -out " + dir + "/cert.pem " + arguments + " 2>/dev/null && cat " + dir +
      "/key.pem " + dir + "/cert.pem > " + dir + "/both.pem";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ostringstream text;
  text << std::ifstream(dir + "/both.pem").rdbuf();
  std::filesystem::remove_all(dir);
  return text.str();
}

TEST(X509, TimesAndNames) {
  const auto facts = read_certificate(made_by_openssl(
      "-days 10 -subj /CN=x -addext subjectAltName=DNS:b.example,DNS:a.example,IP:127.0.0.1"));
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->not_after - facts->not_before, 10LL * 24 * 3'600'000);
  EXPECT_NEAR(static_cast<double>(facts->not_before), static_cast<double>(wall_now_ms()), 60e3);
  EXPECT_EQ(facts->names, (std::vector<std::string>{"dns:a.example", "dns:b.example",
                                                    std::string("ip:\x7f\0\0\x01", 7)}));
  EXPECT_EQ(facts->sha256.size(), 64u);
  EXPECT_EQ(read_certificate(made_by_openssl("-days 1 -subj /CN=only"))->names,
            std::vector<std::string>{"cn:only"});
}

TEST(X509, WhatIsNone) {
  const std::string good = made_by_openssl("-days 1 -subj /CN=x");
  EXPECT_FALSE(read_certificate(""));
  EXPECT_FALSE(read_certificate(good.substr(0, good.size() / 2)));
  EXPECT_FALSE(read_certificate(std::string(1 << 20, 'A')));
  std::string bad = good;
  const std::size_t at = bad.find("BEGIN CERTIFICATE");
  bad[at + 60] = '!';
  EXPECT_FALSE(read_certificate(bad));
}

}  // namespace
}  // namespace hitless
