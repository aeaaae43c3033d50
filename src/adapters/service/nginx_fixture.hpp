// For tests: an nginx of our own in a temporary folder, on a free loopback port, handled by
// commands.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "adapters/service/services.hpp"
#include "adapters/service/test_host.hpp"
#include "adapters/service/unit_fixture.hpp"

namespace hitless::service {

struct NginxSettings {
  std::string limit_key = "$binary_remote_addr";
  std::string cache_path = "cache-a";
  std::string listen;  // empty: 127.0.0.1:<port>
  std::string body = "generation 1";
  std::string pid;  // empty: <folder>/nginx.pid
};

class NginxTest : public ::testing::Test {
 protected:
  NginxTest();
  void start();  // and wait until its workers are up
  void configure(const NginxSettings& settings);
  [[nodiscard]] std::string main_text(const NginxSettings& settings) const;
  [[nodiscard]] std::string site_text(const NginxSettings& settings) const;
  [[nodiscard]] CommandConfig command_config() const;
  [[nodiscard]] core::ServiceIdentity identity();
  // Reloads by the service and reads until the verdict is another than indeterminate, at most 15 s.
  [[nodiscard]] core::ServiceReading reload_and_watch(const core::ServiceIdentity& before);
  [[nodiscard]] core::ServiceReading watch(core::Action action,
                                           const core::ServiceIdentity& before);

  TestFolder folder_;
  TestHost host_;
  int port_;
  std::string main_, site_;
  std::unique_ptr<ports::Service> service_;
};

}  // namespace hitless::service
