#include "adapters/aws/profile.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "adapters/aws/account.hpp"
#include "adapters/aws/providers.hpp"

namespace hitless::aws {
namespace {

class Home {
 public:
  Home() {
    char name[] = "/tmp/hitless-aws-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
    variables["AWS_CONFIG_FILE"] = path_ + "/config";
    variables["AWS_SHARED_CREDENTIALS_FILE"] = path_ + "/credentials";
  }
  ~Home() { std::filesystem::remove_all(path_); }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  void write(const std::string& file, const std::string& text) const {
    std::ofstream(path_ + "/" + file) << text;
  }
  [[nodiscard]] Environment env() const {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto it = variables.find(name);
      return it == variables.end() ? std::nullopt : std::optional(it->second);
    };
  }
  [[nodiscard]] std::string path(const std::string& file) const { return path_ + "/" + file; }
  std::map<std::string, std::string> variables;

 private:
  std::string path_;
};

// Where keys would come from, without asking anybody.
std::string source_of(const Home& home, const Settings& settings) {
  const auto account = Account::open(settings, home.env());
  return account ? (*account)->credentials()->describe() : "error: " + describe(account.error());
}

Result<std::string> endpoint_of(const Home& home, const Settings& settings, const Api& api,
                                const std::string& region = "eu-west-1") {
  const auto files = Files::load(home.env());
  const auto profile = choose_profile(settings, home.env(), *files);
  return choose_endpoint(api, settings, region, home.env(), *files, *profile);
}

TEST(AwsFiles, SectionsNestedBlocksAndComments) {
  const auto ini = parse_ini(
      "# c\n[default]\nregion = eu-west-1 ; here\nkey=a#b\n[services s]\nec2 =\n"
      "  endpoint_url = http://e:1\nother = 1\n",
      "f");
  ASSERT_TRUE(ini) << describe(ini.error());
  EXPECT_EQ(ini->at("default").at("region"), "eu-west-1");
  EXPECT_EQ(ini->at("default").at("key"), "a#b");
  EXPECT_EQ(ini->at("services s").at("ec2.endpoint_url"), "http://e:1");
  EXPECT_EQ(ini->at("services s").at("other"), "1");
  EXPECT_EQ(parse_ini("[a]\nnonsense\n", "f").error().where, "f:2");
  EXPECT_EQ(parse_ini("x=1\n", "f").error().where, "f:1");
}

TEST(AwsCredentials, TheOrderOfTheChain) {
  Home home;
  home.write("credentials", "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
  home.write("config",
             "[profile p]\ncredential_process = /bin/keys\n[profile r]\nrole_arn = arn:r\n"
             "source_profile = default\n[profile w]\nrole_arn = arn:w\n"
             "web_identity_token_file = /t\n[profile sso]\nsso_session = x\n[default]\n");
  EXPECT_EQ(source_of(home, {}), "profile default (credentials file)");
  EXPECT_EQ(source_of(home, {"p", "", ""}), "credential_process of profile p");
  EXPECT_EQ(source_of(home, {"r", "", ""}), "role arn:r by profile default");
  EXPECT_EQ(source_of(home, {"w", "", ""}), "role arn:w by profile w");
  EXPECT_NE(source_of(home, {"sso", "", ""}).find("credential_process"), std::string::npos);
  EXPECT_NE(source_of(home, {"q", "", ""}).find("no AWS profile q"), std::string::npos);

  home.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/t";
  home.variables["AWS_ROLE_ARN"] = "arn:e";
  EXPECT_EQ(source_of(home, {}), "role arn:e by web identity") << "before the credentials file";
  home.variables["AWS_ACCESS_KEY_ID"] = "AKIA";
  EXPECT_EQ(source_of(home, {}), "role arn:e by web identity") << "half a pair does not count";
  home.variables["AWS_SECRET_ACCESS_KEY"] = "s";
  EXPECT_EQ(source_of(home, {}), "environment");
  EXPECT_EQ(source_of(home, {"p", "", ""}), "credential_process of profile p")
      << "a profile that was named beats the environment";
}

TEST(AwsCredentials, ContainerAndInstanceComeLast) {
  Home home;
  EXPECT_EQ(source_of(home, {}), "instance role");
  home.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/x";
  EXPECT_EQ(source_of(home, {}), "container role");
}

TEST(AwsCredentials, CirclesAndHolesInRolesAreErrors) {
  Home home;
  home.write("config",
             "[profile a]\nrole_arn=arn:a\nsource_profile=b\n[profile b]\nrole_arn=arn:b\n"
             "source_profile=a\n[profile c]\nrole_arn=arn:c\nsource_profile=empty\n"
             "[profile empty]\nregion=eu-west-1\n[profile m]\nrole_arn=arn:m\n"
             "source_profile=a\nmfa_serial=1\n[profile x]\nrole_arn=arn:x\n");
  EXPECT_NE(source_of(home, {"a", "", ""}).find("circle"), std::string::npos);
  EXPECT_NE(source_of(home, {"c", "", ""}).find("has no keys"), std::string::npos);
  EXPECT_NE(source_of(home, {"m", "", ""}).find("MFA"), std::string::npos);
  EXPECT_NE(source_of(home, {"x", "", ""}).find("without source_profile"), std::string::npos);
}

TEST(AwsEndpoint, Precedence) {
  Home home;
  home.write("config",
             "[default]\nservices = mine\nendpoint_url = http://profile:1\n[services mine]\n"
             "elastic_load_balancing_v2 =\n  endpoint_url = http://service:1/\n");
  EXPECT_EQ(*endpoint_of(home, {}, kElbv2), "http://service:1");
  EXPECT_EQ(*endpoint_of(home, {}, kEc2), "http://profile:1");
  home.variables["AWS_ENDPOINT_URL"] = "http://all:1";
  EXPECT_EQ(*endpoint_of(home, {}, kElbv2), "http://all:1");
  home.variables["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"] = "http://own:1";
  EXPECT_EQ(*endpoint_of(home, {}, kElbv2), "http://own:1");
  EXPECT_EQ(*endpoint_of(home, {}, kCloudWatch), "http://all:1");
  EXPECT_EQ(*endpoint_of(home, {"", "", "http://fleet:1"}, kElbv2), "http://fleet:1");
  EXPECT_EQ(*endpoint_of(home, {"", "", "http://fleet:1"}, kEc2), "http://all:1");
  home.variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_EQ(*endpoint_of(home, {}, kElbv2), "https://elasticloadbalancing.eu-west-1.amazonaws.com");
  EXPECT_EQ(*endpoint_of(home, {"", "", "http://fleet:1"}, kElbv2), "http://fleet:1");
}

TEST(AwsEndpoint, PartitionsFipsAndDualStack) {
  Home home;
  EXPECT_EQ(*endpoint_of(home, {}, kEc2, "cn-north-1"), "https://ec2.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(*endpoint_of(home, {}, kSts, "us-isob-east-1"),
            "https://sts.us-isob-east-1.sc2s.sgov.gov");
  home.variables["AWS_USE_FIPS_ENDPOINT"] = "true";
  EXPECT_EQ(*endpoint_of(home, {}, kElbv2, "us-gov-west-1"),
            "https://elasticloadbalancing-fips.us-gov-west-1.amazonaws.com");
  home.variables["AWS_USE_DUALSTACK_ENDPOINT"] = "true";
  EXPECT_EQ(*endpoint_of(home, {}, kElbv2), "https://elasticloadbalancing-fips.eu-west-1.api.aws");
  home.variables["AWS_ENDPOINT_URL"] = "ftp://x";
  EXPECT_FALSE(endpoint_of(home, {}, kElbv2));
  home.variables["AWS_ENDPOINT_URL"] = "http://user:pw@host";
  EXPECT_FALSE(endpoint_of(home, {}, kElbv2));
}

TEST(AwsRegion, EitherVariableThenTheProfile) {
  Home home;
  home.write("config", "[default]\nregion = eu-central-1\n");
  const auto files = Files::load(home.env());
  const auto region = [&](const Settings& settings) {
    return choose_region(settings, home.env(), *choose_profile(settings, home.env(), *files));
  };
  EXPECT_EQ(*region({}), "eu-central-1");
  home.variables["AWS_DEFAULT_REGION"] = "us-east-2";
  EXPECT_EQ(*region({}), "us-east-2");
  home.variables["AWS_REGION"] = "us-east-1";
  EXPECT_EQ(*region({}), "us-east-1");
  EXPECT_EQ(*region({"", "ap-south-1", ""}), "ap-south-1");
  EXPECT_FALSE(region({"", "evil.example/#", ""}));
}

TEST(AwsContainer, PlainHttpOnlyToThisMachineAndTheAgents) {
  for (const char* url : {"http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]:1/",
                          "http://169.254.170.23/v1", "http://[fd00:ec2::23]/v1", "https://any/x"})
    EXPECT_TRUE(check_container_url(url)) << url;
  for (const char* url :
       {"http://169.254.169.254/", "http://10.0.0.1/", "http://127.0.0.1@evil/", "http://evil/",
        "http://127.0.0.1.evil/", "ftp://127.0.0.1/", "", "http://[::ffff:10.0.0.1]/"})
    EXPECT_FALSE(check_container_url(url)) << url;
}

TEST(AwsCredentials, WhatWouldSplitAHeaderIsRefused) {
  Credentials keys{"AKIA", Secret("s"), Secret(), std::nullopt, "test"};
  EXPECT_TRUE(check_credentials(keys));
  for (const char* token : {"a\r\nX: y", "a b", "a\x7f", "\xc3\xbc"}) {
    keys.session_token = Secret(token);
    EXPECT_FALSE(check_credentials(keys)) << token;
  }
  keys.session_token = Secret();
  keys.access_key_id = "AKIA/eu";
  EXPECT_FALSE(check_credentials(keys));
  keys.access_key_id = "AKIA\n";
  EXPECT_FALSE(check_credentials(keys));
}

TEST(AwsCredentials, JsonOfAllKinds) {
  const auto good = credentials_from_json(
      R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T",)"
      R"("Expiration":"2026-02-18T14:04:43Z"})",
      "x");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->expires_at, 1'771'423'483'000);
  EXPECT_EQ(good->session_token.reveal(), "T");
  EXPECT_EQ(credentials_from_json(R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S",)"
                                  R"("Token":"T"})",
                                  "x")
                ->session_token.reveal(),
            "T");
  for (const char* text :
       {"", "[]", "{", "{\"AccessKeyId\":\"A\"}", R"({"Code":"AssumeRoleUnauthorizedAccess"})",
        R"({"Version":2,"AccessKeyId":"A","SecretAccessKey":"S"})",
        R"({"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"soon"})",
        R"({"AccessKeyId":"A\r\nB","SecretAccessKey":"S"})"}) {
    const auto bad = credentials_from_json(text, "x");
    EXPECT_FALSE(bad) << text;
  }
}

TEST(AwsCredentials, CommandsAreCutIntoWordsAndNothingIsExpanded) {
  EXPECT_EQ(*split_command(R"(/a/b  "c d" 'e"f' g\ h $(x))"),
            (std::vector<std::string>{"/a/b", "c d", "e\"f", "g h", "$(x)"}));
  EXPECT_FALSE(split_command("'a"));
  EXPECT_FALSE(split_command("  "));
}

Credentials ending_at(TimeMs at, int number) {
  return {"A" + std::to_string(number), Secret("S"), Secret("T"), at, "test"};
}

TEST(AwsCredentials, RefreshedBeforeTheEndAndOldOnesKeptWhileTheyLast) {
  TimeMs now = 1'000'000'000;
  int fetches = 0;
  bool broken = false;
  DurationMs lifetime = 3'600'000;
  const auto fetch = [&]() -> Task<Result<Credentials>> {
    ++fetches;
    if (broken) co_return fail(ErrorCode::unavailable, "down");
    co_return ending_at(now + lifetime, fetches);
  };
  CachedSource source("test", fetch, [&] { return now; });
  std::vector<std::string> got;
  const auto ask = [&]() -> Task<void> {
    const auto keys = co_await source.get();
    got.push_back(keys ? keys->access_key_id : "none");
  };
  const auto ask_at = [&](TimeMs at) {
    now = at;
    run_until_done([&] { return ask(); });
  };
  ask_at(1'000'000'000);
  ask_at(now + 2'600'000);  // 16 minutes left
  EXPECT_EQ(got, (std::vector<std::string>{"A1", "A1"}));
  broken = true;
  ask_at(now + 120'000);  // 14 minutes left: it may fail
  ask_at(now + 1'000);    // and is not tried each time
  EXPECT_EQ(got.back(), "A1");
  EXPECT_EQ(fetches, 2);
  ask_at(now + 300'000);  // 9 minutes left: it must succeed
  EXPECT_EQ(got.back(), "none");
  broken = false;
  ask_at(now + 1'000);
  EXPECT_EQ(got.back(), "A4");
  source.forget();
  ask_at(now + 1'000);
  EXPECT_EQ(got.back(), "A5");
  lifetime = 900'000;  // the shortest that a role may be assumed for
  source.forget();
  ask_at(now + 1'000);
  ask_at(now + 400'000);
  EXPECT_EQ(got.back(), "A6") << "not fetched for each request";
  ask_at(now + 100'000);
  EXPECT_EQ(got.back(), "A7");
}

}  // namespace
}  // namespace hitless::aws
