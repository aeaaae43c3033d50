// What comes from outside or runs for long: counters, executions, WebSockets, series, timelines.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <sstream>

#include <openssl/sha.h>

#include "base/digest.hpp"
#include "witness/counters.hpp"
#include "witness/executions.hpp"
#include "witness/series.hpp"
#include "witness/timeline.hpp"
#include "witness/websocket.hpp"

namespace hitless::witness {
namespace {

const std::string kKernel =
    "boot\n8d1f2c6e-0000-4000-8000-000000000001\nnetstat\n"
    "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPAbortOnData\nTcpExt: 0 3 4 5\n"
    "IpExt: InNoRoutes\nIpExt: 1\nsnmp\n"
    "Tcp: RtoAlgorithm MaxConn EstabResets OutRsts\nTcp: 1 -1 7 9\ntcp\n"
    "  sl  local_address rem_address   st tx_queue rx_queue\n"
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000011 00:00000000 00000000\n"
    "   1: 0100007F:1F90 0100007F:9000 01 00000000:0000FFFF 00:00000000 00000000\n";

TEST(HostCounters, AreRead) {
  const auto sample = parse_host_counters(kKernel, 5);
  ASSERT_TRUE(sample) << sample.error().what;
  EXPECT_EQ(sample->epoch, "8d1f2c6e-0000-4000-8000-000000000001");
  EXPECT_EQ(sample->values, (std::map<std::string, std::int64_t>{{"ListenOverflows", 3},
                                                                 {"ListenDrops", 4},
                                                                 {"TCPAbortOnData", 5},
                                                                 {"EstabResets", 7},
                                                                 {"OutRsts", 9}}));
  EXPECT_EQ(sample->gauges.at("accept_queue"), 0x11);
}

TEST(HostCounters, SayWhoseTheyAre) {
  EXPECT_EQ(parse_host_counters(kKernel, 5)->machine, "") << "the boot id alone is not enough";
  std::string text = kKernel;
  text.insert(text.find("netstat"), "netns\nnet:[4026531840]\n");
  EXPECT_EQ(parse_host_counters(text, 5)->machine,
            "8d1f2c6e-0000-4000-8000-000000000001 net:[4026531840]");
  std::string out;
  FILE* pipe = ::popen(kHostCountersScript, "r");
  ASSERT_NE(pipe, nullptr);
  std::array<char, 4096> part{};
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), pipe))
    out.append(part.data(), got);
  ::pclose(pipe);
  const auto here = parse_host_counters(out, 5);
  ASSERT_TRUE(here) << here.error().what;
  EXPECT_NE(here->machine, "");
  EXPECT_EQ(here->machine, this_machine());
}

TEST(HostCounters, OfThisMachineAreRead) {
  std::ostringstream text;
  text << "boot\n"
       << std::ifstream("/proc/sys/kernel/random/boot_id").rdbuf() << "netstat\n"
       << std::ifstream("/proc/net/netstat").rdbuf() << "snmp\n"
       << std::ifstream("/proc/net/snmp").rdbuf() << "tcp\n"
       << std::ifstream("/proc/net/tcp").rdbuf();
  const auto sample = parse_host_counters(text.str(), 5);
  ASSERT_TRUE(sample) << sample.error().what;
  EXPECT_TRUE(sample->values.count("OutRsts"));
}

TEST(HostCounters, HostileTextIsRefusedOrHarmless) {
  for (const std::string text :
       {"", "boot\n", "boot\nx\nnetstat\nTcpExt: A B\nTcpExt: 1\n",
        "boot\nx\nnetstat\nTcpExt: ListenDrops\nTcpExt: -4\n",
        "boot\nx\nnetstat\nTcpExt: ListenDrops\nTcpExt: 99999999999999999999\n",
        "boot\nx\nnetstat\nTcpExt: ListenDrops\nTcpExt: 1e3\n",
        "netstat\nTcpExt: ListenDrops\nTcpExt: 1\n"})
    EXPECT_FALSE(parse_host_counters(text, 0)) << text;
  for (std::size_t n = 0; n < kKernel.size(); ++n) {
    const auto ignored = parse_host_counters(kKernel.substr(0, n), 0);
    (void)ignored;
  }
  const auto colourful =
      parse_host_counters("boot\n\x1b[31m\n" + kKernel.substr(kKernel.find("netstat")), 0);
  ASSERT_TRUE(colourful);
  EXPECT_EQ(colourful->epoch.find('\x1b'), std::string::npos);
}

TEST(Counters, ALongSeriesIsThinnedAndRemembersResets) {
  CounterSeries series;
  for (int i = 0; i < 5'000; ++i) {
    CounterSample sample;
    sample.at_ms = i * 1'000;
    sample.epoch = i < 1'000 ? "a" : "b";
    sample.values["requests"] = i;
    add_sample(&series, sample);
  }
  EXPECT_LE(series.samples.size(), kMaxSamples);
  EXPECT_EQ(series.samples.front().at_ms, 0);
  EXPECT_EQ(series.samples.back().at_ms, 4'999'000);
  EXPECT_EQ(series.reset_at, std::vector<TimeMs>{1'000'000});
  CounterSample broken;
  broken.problem = "timeout";
  add_sample(&series, broken);
  EXPECT_EQ(series.unread, 1);
}

TEST(Executions, HostileAnswersChangeNothing) {
  Executions all;
  ASSERT_TRUE(add_executions(&all, "a", R"({"executions": {"p-1": 2}, "host": "x"})", "p"));
  for (const char* bad :
       {"", "[]", "{}", R"({"executions": 1})", R"({"executions": {"p-2": -1}})",
        R"({"executions": {"p-2": 1, "p-3": "x"}})", R"({"executions": {"p-2": 1e99}})",
        R"([[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]])", R"({"executions": {"p-2": 1})"})
    EXPECT_FALSE(add_executions(&all, "b", bad, "p")) << bad;
  EXPECT_EQ(all.times, (std::map<std::string, std::int64_t>{{"p-1", 2}}));
}

std::string server_frame(unsigned first, const std::string& payload) {
  std::string out(1, static_cast<char>(first));
  if (payload.size() < 126) {
    out += static_cast<char>(payload.size());
  } else {
    out += static_cast<char>(126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 0xff);
  }
  return out + payload;
}

// Opened as a server would: with the answer to its own key.
WebSocket opened() {
  WebSocket ws;
  const std::string headers = ws.upgrade_headers(), name = "Sec-WebSocket-Key: ";
  const std::size_t at = headers.find(name) + name.size();
  const std::string text =
      headers.substr(at, headers.find("\r\n", at) - at) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  const std::string accept = base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  EXPECT_EQ(
      ws.feed("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"),
      WebSocket::State::open);
  return ws;
}

TEST(WebSocketReader, UpgradeNeedsTheRightKey) {
  for (const char* answer :
       {"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"}) {
    WebSocket ws;
    EXPECT_EQ(ws.feed(answer), WebSocket::State::malformed);
  }
  WebSocket plain;
  EXPECT_EQ(plain.feed("HTTP/1.1 503 Service Unavailable\r\n"), WebSocket::State::not_upgraded);
  EXPECT_EQ(plain.take_bytes(), "HTTP/1.1 503 Service Unavailable\r\n");
  WebSocket endless;
  endless.feed("HTTP/1.1 101 S\r\nX: ");
  for (int i = 0; i < 20; ++i) endless.feed(std::string(1024, 'a'));
  EXPECT_EQ(endless.state(), WebSocket::State::malformed);
}

TEST(WebSocketReader, FramesHoweverTheyAreCut) {
  const std::string stream = server_frame(0x89, "are you there") + server_frame(0x01, "hel") +
                             server_frame(0x80, "lo") + server_frame(0x8a, "");
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, stream.size()}) {
    WebSocket ws = opened();
    std::string message;
    for (std::size_t at = 0; at < stream.size(); at += step)
      EXPECT_EQ(ws.feed(std::string_view(stream).substr(at, step)), WebSocket::State::open);
    ASSERT_TRUE(ws.take_message(&message));
    EXPECT_EQ(message, "hello");
    EXPECT_EQ(ws.take_owed().size(), 2u + 4u + 13u) << "one masked pong";
  }
}

TEST(WebSocketReader, WhatWasNotAgreedIsMalformed) {
  for (const std::string& bad :
       {server_frame(0xc1, "x"), server_frame(0x09, "x"), server_frame(0x80, "x"),
        std::string("\x81\x81"
                    "aaaax"),
        std::string("\x81\x7f") + std::string(8, '\0'), server_frame(0x89, std::string(126, 'x')),
        server_frame(0x81, "a") + server_frame(0x81, "b")}) {
    WebSocket ws = opened();
    EXPECT_EQ(ws.feed(bad), WebSocket::State::malformed);
  }
  WebSocket closed = opened();
  EXPECT_EQ(closed.feed(server_frame(0x88, "")), WebSocket::State::closed);
  WebSocket big = opened();
  for (int i = 0; i < 3; ++i)
    big.feed(server_frame(i == 0 ? 0x01 : 0x00, std::string(40'000, 'x')));
  EXPECT_EQ(big.state(), WebSocket::State::malformed);
}

TEST(Series, AnyLengthFitsAndNothingIsLost) {
  Series series;
  std::int64_t lost = 0;
  for (int i = 0; i < 20'000; ++i) {
    SeriesPoint point;
    point.start_ms = i * 1'000;
    point.sent = point.ok = 20;
    point.lost = i % 977 == 0 ? 1 : 0;
    point.p50_us = 100;
    point.p95_us = i == 12'345 ? 9'000 : 200;
    lost += point.lost;
    series.add(point);
  }
  EXPECT_LE(series.points().size(), Series::kMaxPoints);
  std::int64_t sent = 0, seen = 0, worst = 0;
  for (const SeriesPoint& point : series.points()) {
    sent += point.sent;
    seen += point.lost;
    worst = std::max(worst, point.p95_us.value_or(0));
    EXPECT_EQ(point.p50_us, 100);
  }
  EXPECT_EQ(sent, 400'000);
  EXPECT_EQ(seen, lost);
  EXPECT_EQ(worst, 9'000);
  Series sparse;
  for (int i = 0; i < 3'000; ++i)
    sparse.add({.start_ms = i * 10'000'000, .p50_us = {}, .p95_us = {}});
  EXPECT_LE(sparse.points().size(), Series::kMaxPoints);
}

TEST(Timeline, InWorkAndBetween) {
  std::vector<Mark> marks(3);
  marks[0].window = Window::rollout;
  marks[0].at_ms = 100;
  marks[1].at_ms = 200;
  marks[1].instance = "a";
  marks[1].phase = core::PhaseName::acting;
  marks[2].at_ms = 300;
  marks[2].instance = "a";
  marks[2].phase = core::PhaseName::done;
  EXPECT_TRUE(in_work_at(marks, 199).empty());
  EXPECT_EQ(in_work_at(marks, 200), (std::vector<Where>{{"a", core::PhaseName::acting}}));
  EXPECT_TRUE(in_work_at(marks, 300).empty());
  EXPECT_TRUE(was_in_work(marks, "a", 150, 210));
  EXPECT_TRUE(was_in_work(marks, "a", 250, 400));
  EXPECT_FALSE(was_in_work(marks, "a", 310, 400));
  EXPECT_FALSE(was_in_work(marks, "b", 0, 400));
  EXPECT_EQ(window_at(marks, 99), Window::baseline);
  EXPECT_EQ(window_at(marks, 100), Window::rollout);
}

}  // namespace
}  // namespace hitless::witness
