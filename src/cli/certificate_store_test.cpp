#include "cli/certificate_store.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace hitless::cli {
namespace {

constexpr TimeMs kAt = 1'771'423'483'120;  // 2026-02-18T14:04:43.120Z

witness::CertifiedLoss loss(int number) {
  witness::CertifiedLoss made;
  made.loss.at_ms = kAt;
  made.loss.kind = witness::LossKind::http_5xx;
  made.loss.type = witness::RequestType::post_kept;
  made.loss.status = 502;
  made.loss.path = fmt::format("/work?n={}", number);
  made.loss.detail = "HTTP 502 \"\x1b[31m";
  made.prober = "http://lb/";
  made.moment_ms = kAt + number;
  made.window = witness::Window::soak;
  made.where = {{"web@web01", core::PhaseName::rolling_back}};
  made.blame = witness::Blame::undecidable;
  return made;
}

witness::Certificate with_losses(int count) {
  witness::Certificate c;
  c.verdict = witness::Verdict::refuted;
  c.reasons = {"because"};
  c.remarks = {"left out"};
  c.sent = 10'000;
  c.lost = count;
  c.from_ms = kAt - 1;
  c.to_ms = kAt + 10'000;
  c.baseline_sent = 20;
  c.near_misses = {{"be_web @ lb-1: retries", 2}};
  c.duplicates = {{"id-1", 2, {"web@web01", "web@web02"}}};
  c.counters = {{witness::SourceKind::host, "web01", "ListenDrops", witness::CounterSense::failure,
                 std::nullopt, 3, true}};
  for (int i = 0; i < count; ++i) c.losses.push_back(loss(i));
  return c;
}

TEST(CertificateStore, ReadsWhatItWrote) {
  const auto read = read_certificate(stored_certificate(with_losses(2)));
  ASSERT_TRUE(read);
  EXPECT_EQ(witness::certificate_json(*read), witness::certificate_json(with_losses(2)));
  EXPECT_EQ(verdict_text(*read), "refuted: 2 requests lost");
}

TEST(CertificateStore, ALongOneIsCutAndSaysSo) {
  const witness::Certificate whole = with_losses(2000);
  const std::string stored = stored_certificate(whole);
  EXPECT_LE(stored.size(), kMaxStoredBytes);
  const auto read = read_certificate(stored);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->verdict, witness::Verdict::refuted);
  EXPECT_EQ(read->lost, 2000);
  EXPECT_GT(read->losses.size(), 50U);
  EXPECT_EQ(read->counters.size(), 1U);
  EXPECT_EQ(read->reasons.back(),
            fmt::format("{} more losses are not kept in the journal", 2000 - read->losses.size()));
}

TEST(CertificateStore, WhatIsNotOursIsNone) {
  for (const char* text : {"", "null", "[]", "{", "{}", R"({"format_version":2})"})
    EXPECT_FALSE(read_certificate(text)) << text;
  const auto odd = read_certificate(
      R"({"format_version":1,"verdict":"good","losses":[1,{"at":7}],"counters":{},"sent":"x"})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->verdict, witness::Verdict::unknown);
  EXPECT_EQ(odd->losses.size(), 1U);
}

}  // namespace
}  // namespace hitless::cli
