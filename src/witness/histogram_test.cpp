#include "witness/histogram.hpp"

#include <gtest/gtest.h>

#include "witness/response_reader.hpp"

namespace hitless::witness {
namespace {

TEST(Histogram, NoSamplesIsNoLatency) {
  const LatencyHistogram h;
  EXPECT_FALSE(h.quantile_us(0.95).has_value());
}

TEST(Histogram, QuantilesAreAtMostThreePercentHigh) {
  LatencyHistogram h;
  for (std::int64_t us = 1; us <= 100'000; ++us) h.add(us);
  for (const double share : {0.01, 0.5, 0.95, 0.99, 1.0}) {
    const auto exact = static_cast<double>(100'000) * share;
    const auto read = static_cast<double>(h.quantile_us(share).value());
    EXPECT_GE(read, exact);
    EXPECT_LE(read, exact * 1.033);
  }
}

TEST(Histogram, TakesAnyValue) {
  LatencyHistogram h;
  for (const std::int64_t us : {std::int64_t{-5}, std::int64_t{0}, std::int64_t{1} << 62})
    h.add(us);
  EXPECT_EQ(h.quantile_us(0.3), 0);
  EXPECT_EQ(h.quantile_us(1.0), (std::int64_t{1} << 32) - 1);
}

TEST(Histogram, SinceGivesTheTimeBetween) {
  LatencyHistogram h;
  for (int i = 0; i < 100; ++i) h.add(10);
  const LatencyHistogram before = h;
  for (int i = 0; i < 10; ++i) h.add(20'000);
  EXPECT_EQ(h.since(before).count(), 10);
  EXPECT_GE(h.since(before).quantile_us(0.01).value(), 20'000);
  EXPECT_EQ(h.quantile_us(0.5), 10);
}

using State = ResponseReader::State;

// The same bytes must mean the same however they are cut.
State read_all(const std::string& bytes, std::size_t step, ResponseReader* reader) {
  for (std::size_t at = 0; at < bytes.size(); at += step)
    reader->feed(std::string_view(bytes).substr(at, step));
  return reader->state();
}

void expect(const std::string& bytes, State state, bool reusable = false) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, bytes.size()}) {
    ResponseReader reader("X-Host");
    EXPECT_EQ(read_all(bytes, step, &reader), state) << bytes << " by " << step << reader.why();
    EXPECT_EQ(reader.reusable(), reusable) << bytes << " by " << step;
  }
}

TEST(ResponseReader, WholeAnswers) {
  expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", State::complete, true);
  expect("HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", State::complete, true);
  expect("HTTP/1.1 204 No Content\r\n\r\n", State::complete, true);
  expect("HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close\r\nContent-Length: 2\r\n\r\nok",
         State::complete);
  expect("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", State::complete);
  expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
         State::complete, true);
  expect(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
      State::complete, true);
  // Something follows: this answer is whole, the connection is not to be trusted.
  expect("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200", State::complete);
}

TEST(ResponseReader, CutAnywhereIsNotComplete) {
  const std::string counted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde";
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n";
  for (const std::string& whole : {counted, chunked}) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      ResponseReader reader;
      reader.feed(std::string_view(whole).substr(0, n));
      EXPECT_EQ(reader.finish(), State::reading) << n;
      EXPECT_EQ(reader.any_byte(), n > 0);
    }
  }
}

TEST(ResponseReader, BodyToTheCloseNeedsTheClose) {
  ResponseReader reader;
  EXPECT_EQ(reader.feed("HTTP/1.1 200 OK\r\n\r\nabc"), State::reading);
  EXPECT_EQ(reader.finish(), State::complete);
  EXPECT_FALSE(reader.reusable());
}

TEST(ResponseReader, Malformed) {
  for (const char* head :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFF\r\n"}) {
    expect(head, State::malformed);
  }
}

TEST(ResponseReader, EndlessInputIsRefusedInBoundedMemory) {
  const std::string junk(4096, 'a');
  const std::string starts[] = {
      "HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "};
  for (const std::string& start : starts) {
    ResponseReader reader;
    reader.feed(start);
    for (int i = 0; i < 10; ++i) reader.feed(junk);
    EXPECT_EQ(reader.state(), State::malformed) << start;
  }
  ResponseReader interim;
  for (int i = 0; i < 20; ++i) interim.feed("HTTP/1.1 103 Early\r\n\r\n");
  EXPECT_EQ(interim.state(), State::malformed);
  ResponseReader big("", 10'000);
  big.feed("HTTP/1.1 200 OK\r\n\r\n");
  for (int i = 0; i < 10; ++i) big.feed(junk);
  EXPECT_EQ(big.state(), State::malformed);
}

TEST(ResponseReader, FindsWhatIsExpectedHoweverItIsCut) {
  const std::string answers[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nxxneedlexxx",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nxnee\r\n4\r\ndlex\r\n0\r\n\r\n"};
  for (const std::string& answer : answers) {
    for (std::size_t step = 1; step <= answer.size(); ++step) {
      ResponseReader with("", 1000, "needle"), without("", 1000, "noodle");
      EXPECT_EQ(read_all(answer, step, &with), State::complete);
      EXPECT_TRUE(with.found()) << step;
      read_all(answer, step, &without);
      EXPECT_FALSE(without.found()) << step;
    }
  }
}

TEST(ResponseReader, NamesTheServer) {
  ResponseReader reader("X-Host");
  reader.feed("HTTP/1.1 502 Bad Gateway\r\nx-host:  web02 \r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(reader.server(), "web02");
  EXPECT_EQ(reader.status(), 502);
}

}  // namespace
}  // namespace hitless::witness
