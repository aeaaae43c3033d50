// Digests, time and names.
#include <gtest/gtest.h>

#include <set>

#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/time.hpp"

namespace hitless {
namespace {

TEST(Digest, KnownAnswers) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, case 2.
  EXPECT_EQ(hmac_sha256_base64("Jefe", "what do ya want for nothing?"),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
  EXPECT_EQ(hmac_sha256_base64("", ""), "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0=");
}

TEST(Digest, Base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe"), "//4=");
  for (const std::string text : {"", "a", "ab", "abc", "abcd"})
    EXPECT_EQ(decode_base64(base64(text)), text);
  EXPECT_FALSE(decode_base64("abc").has_value());
  EXPECT_FALSE(decode_base64("a?==").has_value());
}

TEST(Digest, RandomHexIsRandomAndOfTheRightSize) {
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) seen.insert(random_hex(8));
  EXPECT_EQ(seen.size(), 50U);
  EXPECT_EQ(seen.begin()->size(), 16U);
  EXPECT_EQ(random_hex(0), "");
}

TEST(Time, Formats) {
  const TimeMs at = 1771423483120;  // 2026-02-18T14:04:43.120Z
  EXPECT_EQ(format_timestamp(at), "2026-02-18T14:04:43.120Z");
  EXPECT_EQ(format_clock(at), "14:04:43Z");
  EXPECT_EQ(format_day(at), "20260218");
  EXPECT_EQ(format_timestamp(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Time, Durations) {
  EXPECT_EQ(format_duration(45), "45ms");
  EXPECT_EQ(format_duration(3100), "3.1s");
  EXPECT_EQ(format_duration(5000), "5s");
  EXPECT_EQ(format_duration(59'970), "1m00s");
  EXPECT_EQ(format_duration(118'000), "1m58s");
  EXPECT_EQ(format_duration(7'380'000), "2h03m");
  EXPECT_EQ(format_duration(-1500), "-1.5s");
}

TEST(Time, ParsesDurations) {
  EXPECT_EQ(parse_duration("250ms").value(), 250);
  EXPECT_EQ(parse_duration("30s").value(), 30'000);
  EXPECT_EQ(parse_duration("1.5s").value(), 1500);
  EXPECT_EQ(parse_duration("1m30s").value(), 90'000);
  EXPECT_EQ(parse_duration("1h").value(), 3'600'000);
  EXPECT_EQ(parse_duration("0s").value(), 0);
  for (const char* bad : {"", "30", "0", "s", "-1s", "1 s", "1s1m", "1x", "1.s", "1e3s",
                          "99999999999999999999s", "3651d", "1s ", "٣s"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
  EXPECT_NE(parse_duration("30").error().what.find("unit"), std::string::npos);
}

TEST(Names, Hosts) {
  for (const char* good : {"web01", "a.b-c_d", "10.0.0.1"})
    EXPECT_TRUE(check_host_name(good)) << good;
  for (const char* bad :
       {"", "-oProxyCommand=x", "-", "a b", "a/b", "a\nb", "a;b", "é", ".", "..", "a$b"})
    EXPECT_FALSE(check_host_name(bad)) << bad;
  EXPECT_FALSE(check_host_name(std::string(254, 'a')));
  EXPECT_FALSE(check_host_name(std::string_view("a\0b", 3)));
}

TEST(Names, Addresses) {
  for (const char* good : {"10.0.0.11", "::1", "fe80::1%eth0", "web01.example.com", "localhost"})
    EXPECT_TRUE(check_host_address(good)) << good;
  for (const char* bad : {"10.0.0", "010.0.0.1.5", "2130706433", "0x7f000001", "0x7f.1", "1:2",
                          "[::1]", "::1%", "::1%a b", "10.0.0.1:80", "-x", "300.1.1.1"})
    EXPECT_FALSE(check_host_address(bad)) << bad;
}

TEST(Names, Units) {
  for (const char* good : {"nginx.service", "app@1.service", "a\\x2db.service", "x.socket"})
    EXPECT_TRUE(check_unit_name(good)) << good;
  for (const char* bad : {"nginx", ".service", "-a.service", "a b.service", "a/b.service",
                          "a.services", "a.service\n"})
    EXPECT_FALSE(check_unit_name(bad)) << bad;
}

TEST(Names, UsersIdentifiersPaths) {
  for (const char* good : {"deploy", "_apt", "svc-1", "host$"})
    EXPECT_TRUE(check_user_name(good)) << good;
  for (const char* bad : {"", "-l", "Root", "1a", "a b", "a$b", "$"})
    EXPECT_FALSE(check_user_name(bad)) << bad;
  for (const char* good : {"be_web", "10.0.0.1:80", "A"})
    EXPECT_TRUE(check_identifier(good)) << good;
  for (const char* bad : {"", "-x", ".x", "a/b", "a b", "a;b"})
    EXPECT_FALSE(check_identifier(bad)) << bad;
  for (const char* good : {"/etc/nginx/nginx.conf", "/a b", "/a..b"})
    EXPECT_TRUE(check_absolute_path(good)) << good;
  for (const char* bad : {"", "etc", "/", "/etc/", "/etc/../x", "/..", "/a\nb"})
    EXPECT_FALSE(check_absolute_path(bad)) << bad;
  EXPECT_FALSE(check_absolute_path(std::string_view("/a\0b", 4)));
}

}  // namespace
}  // namespace hitless
