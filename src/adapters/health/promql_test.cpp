// Gates: what is within bounds is good, what is not is bad, and whatever is unclear is neither.
#include <gtest/gtest.h>

#include "adapters/health/probes.hpp"

namespace hitless {
namespace {

using core::HealthStatus;

std::string vector_of(const std::string& values) {
  return R"({"status":"success","data":{"resultType":"vector","result":[)" + values + "]}}";
}

std::string sample(const std::string& value) {
  return R"({"metric":{"job":"web"},"value":[1435781451.781,")" + value + "\"]}";
}

HealthStatus below(const std::string& body, double bound = 0.5) {
  return judge_promql(body, bound, std::nullopt).status;
}

TEST(Promql, Bounds) {
  EXPECT_EQ(below(vector_of(sample("0.49"))), HealthStatus::pass);
  EXPECT_EQ(below(vector_of(sample("0.5"))), HealthStatus::fail);
  EXPECT_EQ(below(vector_of(sample("1e3"))), HealthStatus::fail);
  EXPECT_EQ(below(vector_of(sample("0.1") + "," + sample("0.9") + "," + sample("0.1"))),
            HealthStatus::fail)
      << "one of many";
  EXPECT_EQ(judge_promql(vector_of(sample("0.9")), {}, 0.5).status, HealthStatus::pass);
  EXPECT_EQ(judge_promql(vector_of(sample("0.5")), {}, 0.5).status, HealthStatus::fail);
  EXPECT_EQ(below(R"({"status":"success","data":{"resultType":"scalar","result":[1,"0.1"]}})"),
            HealthStatus::pass);
  EXPECT_EQ(judge_promql(vector_of(sample("0.9")), 0.5, {}).evidence, "0.9, wanted below 0.5");
}

TEST(Promql, WhatIsUnclearIsNeverGood) {
  std::string many;
  for (int i = 0; i < 101; ++i) many += (i == 0 ? "" : ",") + sample("0");
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string("<html>"), vector_of(""),
        vector_of(sample("NaN")), vector_of(sample("-NaN")), vector_of(sample("+Inf")),
        vector_of(sample("-Inf")), vector_of(sample("")), vector_of(sample("0.1x")),
        vector_of(sample("0.1") + "," + sample("NaN")), vector_of("1"), vector_of("{}"),
        vector_of(R"({"value":[1,0.1]})"), vector_of(many),
        std::string(R"({"status":"error","errorType":"bad_data","error":"x"})"),
        std::string(R"({"status":"success","data":{"resultType":"matrix","result":[]}})"),
        std::string(R"({"status":"success","data":{"resultType":"string","result":[1,"0"]}})")})
    EXPECT_EQ(below(body), HealthStatus::unknown) << body.substr(0, 90);
}

}  // namespace
}  // namespace hitless
