#include "adapters/host/frame.hpp"

#include <gtest/gtest.h>

namespace hitless::host {
namespace {

const std::string nonce = "0123456789abcdef0123456789abcdef";

std::string framed(const std::string& output, const std::string& code) {
  return "\n" + nonce + " b\n" + output + "\n" + nonce + " e " + code + "\n";
}

TEST(FrameParser, AnySplitOfTheStreamGivesTheSame) {
  const std::string output = std::string("a\0b\n\n", 5) + nonce + " b\n\n" + nonce.substr(0, 9);
  const std::string stream = "motd\n" + framed(output, "42") + "late";
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    FrameParser parser(nonce, 1000);
    for (std::size_t at = 0; at < stream.size(); at += step) parser.feed(stream.substr(at, step));
    ASSERT_TRUE(parser.done()) << step;
    ASSERT_EQ(parser.exit_code(), 42);
    EXPECT_TRUE(parser.output() == output) << step;
    EXPECT_FALSE(parser.truncated());
  }
}

TEST(FrameParser, OutputIsCappedAndMemoryWithIt) {
  FrameParser parser(nonce, 10);
  parser.feed(framed(std::string(100'000, 'x'), "0"));
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.output(), "xxxxxxxxxx");
  EXPECT_TRUE(parser.truncated());
}

TEST(FrameParser, AnotherNonceIsOutput) {
  FrameParser parser(nonce, 1000);
  const std::string other = "\nffffffffffffffffffffffffffffffff e 0\n";
  parser.feed(framed(other, "3"));
  EXPECT_EQ(parser.output(), other);
  EXPECT_EQ(parser.exit_code(), 3);
}

TEST(FrameParser, CodesThatAreNoneAreToldApart) {
  for (const std::string code : {"", "x", "-1", "256", "99999999999999999999", "1 "}) {
    FrameParser parser(nonce, 1000);
    parser.feed(framed("", code));
    EXPECT_TRUE(parser.done()) << code;
    EXPECT_EQ(parser.exit_code(), -1) << code;
  }
}

TEST(FrameParser, NothingBeforeTheBeginIsKept) {
  FrameParser parser(nonce, 1000);
  for (int i = 0; i < 1000; ++i) parser.feed(std::string(1000, '\n'));
  EXPECT_FALSE(parser.begun());
  EXPECT_EQ(parser.output(), "");
}

}  // namespace
}  // namespace hitless::host
