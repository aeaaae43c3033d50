// The fake of AWS (tests/fakes/aws) as a child of the test, and the account that leads to it.
#pragma once
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "adapters/aws/account.hpp"
#include "fake_program.hpp"

namespace hitless::tests {

// Keys AKIDT and shh, region eu-west-1. endpoint: the fake's URL, or a place where nobody is.
inline std::shared_ptr<aws::Account> fake_aws_account(const std::string& endpoint) {
  const std::map<std::string, std::string> variables = {{"AWS_ACCESS_KEY_ID", "AKIDT"},
                                                        {"AWS_SECRET_ACCESS_KEY", "shh"},
                                                        {"AWS_ENDPOINT_URL", endpoint},
                                                        {"AWS_REGION", "eu-west-1"}};
  return *aws::Account::open({}, [variables](const std::string& name) {
    const auto it = variables.find(name);
    return it == variables.end() ? std::optional<std::string>() : std::optional(it->second);
  });
}

class FakeAwsProcess {
 public:
  explicit FakeAwsProcess(const std::string& config)
      : program_("aws/aws_fake.py", written(config)) {}

  [[nodiscard]] std::string url() const { return program_.url(); }
  void faults(const std::string& json) const { (void)program_.ask("POST", "/_fake", json); }
  [[nodiscard]] std::string calls() const { return program_.ask("GET", "/_fake"); }

 private:
  std::vector<std::string> written(const std::string& config) const {
    const std::string file = dir_.path() + "/config.json";
    std::ofstream(file) << config;
    return {file, dir_.path()};
  }

  traffic::TempDir dir_;
  FakeProgram program_;
};

}  // namespace hitless::tests
