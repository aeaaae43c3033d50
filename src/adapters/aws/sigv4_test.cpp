#include "adapters/aws/sigv4.hpp"

#include <gtest/gtest.h>

#include "adapters/aws/query.hpp"

namespace hitless::aws {
namespace {

constexpr TimeMs kAt = 1'440'938'160'000;  // 20150830T123600Z, of AWS's published examples
const SigningScope kScope{"us-east-1", "service"};

Credentials example_keys() {
  Credentials keys;
  keys.access_key_id = "AKIDEXAMPLE";
  keys.secret_key = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
  return keys;
}

std::string authorization(const std::vector<std::string>& headers) {
  for (const std::string& header : headers)
    if (header.starts_with("Authorization: ")) return header;
  return {};
}

bool signed_as(const Signable& request, const std::string& signature) {
  return authorization(sign(request, example_keys(), kScope, kAt)).ends_with(signature);
}

TEST(SigV4, PostOfAFormMatchesThePublishedExample) {
  Signable request;
  request.host = "example.amazonaws.com";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}};
  request.body = "Param1=value1";
  EXPECT_TRUE(
      signed_as(request, "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"));
  EXPECT_EQ(amz_date(kAt), "20150830T123600Z");
}

TEST(SigV4, PlainGetAndPostMatchThePublishedExamples) {
  Signable request;
  request.host = "example.amazonaws.com";
  request.method = "GET";
  EXPECT_TRUE(
      signed_as(request, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
  request.method = "POST";
  EXPECT_TRUE(
      signed_as(request, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
}

TEST(SigV4, QueryIsSortedByNameThenValue) {
  Signable request;
  request.host = "example.amazonaws.com";
  request.method = "GET";
  request.query = {{"Param2", "value2"}, {"Param1", "value1"}};
  EXPECT_TRUE(
      signed_as(request, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
}

TEST(SigV4, HeadersAreTrimmedSortedAndMergedInTheCanonicalForm) {
  Signable request;
  request.method = "GET";
  request.headers = {{"My-Header2", " a   b  c "}, {"My-Header1", "2"}, {"my-header1", "1"}};
  EXPECT_EQ(signed_header_names(request), "my-header1;my-header2");
  EXPECT_NE(canonical_request(request).find("my-header1:2,1\nmy-header2:a b c\n\n"),
            std::string::npos);
}

TEST(SigV4, TheSessionTokenIsSigned) {
  Signable request;
  request.host = "example.amazonaws.com";
  Credentials keys = example_keys();
  const std::string without = authorization(sign(request, keys, kScope, kAt));
  keys.session_token = Secret("AQoDYXdzEPT//////////wEXAMPLE");
  const auto headers = sign(request, keys, kScope, kAt);
  EXPECT_NE(authorization(headers), without);
  EXPECT_NE(authorization(headers).find("host;x-amz-date;x-amz-security-token"), std::string::npos);
  EXPECT_EQ(std::count(headers.begin(), headers.end(),
                       "X-Amz-Security-Token: AQoDYXdzEPT//////////wEXAMPLE"),
            1);
  for (const std::string& header : headers)
    EXPECT_EQ(header.find(keys.secret_key.reveal()), std::string::npos);
}

TEST(Params, ListsCountFromOneAndValuesAreEncoded) {
  Params params;
  params.add("A", "x y/ü").add_list("Targets", {"a", "b&c"}).add_list("Empty", {}).add("N", 5);
  EXPECT_EQ(params.encoded(),
            "A=x%20y%2F%C3%BC&Targets.member.1=a&Targets.member.2=b%26c&Empty=&N=5");
}

}  // namespace
}  // namespace hitless::aws
