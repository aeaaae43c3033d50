// A fake load balancer (tests/fakes/lb) as a child of the test, with a folder for its files.
#pragma once
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "adapters/host/host.hpp"
#include "base/text.hpp"
#include "fake_program.hpp"
#include "ports/traffic.hpp"

namespace hitless::tests {

class FakeLb {
 public:
  // config: JSON; "{dir}" in it is the folder.
  FakeLb(const std::string& kind, const std::string& config)
      : program_("lb/lb_fake.py", {kind, written(config)}) {
    const std::string said = program_.ask("GET", "/_fake");
    front_ = said.substr(said.find(": ") + 2);
    front_.resize(front_.find('}'));
  }
  [[nodiscard]] std::string front() const { return front_; }
  [[nodiscard]] std::string url() const { return program_.url(); }
  [[nodiscard]] std::string path(const std::string& file) const { return dir_.path() + "/" + file; }
  void reload() const { (void)program_.ask("POST", "/_fake", R"({"do":"reload"})"); }
  // From now on it does not hear of changes.
  void deafen() const { (void)program_.ask("POST", "/_fake", R"({"do":"deafen"})"); }
  void restart() const { (void)program_.ask("POST", "/_fake", R"({"do":"restart"})"); }
  std::string ask(const char* method, const std::string& where,
                  const std::string& body = {}) const {
    return program_.ask(method, where, body);
  }
  // As somebody else would: a new file, moved into place.
  void move_in(const std::string& file, const std::string& text) const {
    std::ofstream(path(file) + ".theirs") << text;
    std::filesystem::rename(path(file) + ".theirs", path(file));
  }
  [[nodiscard]] std::string read(const std::string& file) const {
    std::stringstream text;
    text << std::ifstream(path(file)).rdbuf();
    return text.str();
  }
  // A program of that name in the folder that runs `ipvsadm` over this fake.
  [[nodiscard]] std::string ipvsadm() const {
    const std::string file = path("ipvsadm");
    std::ofstream(file)
        << "#!/bin/sh\nsaid=$(curl -q -sS -f --noproxy '*' -m 10 --data-binary \"$*\" " << url()
        << "/ipvsadm) || exit 1\ncode=${said%%\"\n\"*}\n"
           "[ \"$said\" = \"$code\" ] || echo \"${said#*\"\n\"}\"\nexit \"$code\"\n";
    ::chmod(file.c_str(), 0755);
    return file;
  }

 private:
  std::string written(const std::string& config) const {
    std::ofstream(path("config.json")) << filled(config, {{"{dir}", dir_.path()}});
    return path("config.json");
  }

  traffic::TempDir dir_;
  FakeProgram program_;
  std::string front_;
};

// A new driver for each question, as after a crash; host: this machine.
class DriverUnderTest {
 public:
  using Make = std::function<std::unique_ptr<ports::Traffic>(ports::Host*)>;
  explicit DriverUnderTest(Make make) : make_(std::move(make)) {}

  template <class T>
  T ask(std::function<Task<T>(ports::Traffic*)> question) const {
    return traffic::await<T>([&]() -> Task<T> {
      auto host = host::make_local_host("lb-1", "127.0.0.1");
      auto driver = make_(host.get());
      T answer = co_await question(driver.get());
      driver.reset();
      host.reset();
      co_return answer;
    });
  }
  [[nodiscard]] core::TargetReport read(const std::string& instance) const {
    for (core::TargetReport& report :
         ask<std::vector<core::TargetReport>>([](auto* d) { return d->read(); }))
      if (report.instance.value == instance) return report;
    return {};
  }
  // "ok", or what went wrong.
  [[nodiscard]] std::string drain(const std::string& instance) const {
    return said(ask<Status>([&](auto* d) { return d->drain(core::InstanceId{instance}); }));
  }
  [[nodiscard]] std::string rejoin(const std::string& instance) const {
    return said(ask<Status>([&](auto* d) { return d->rejoin(core::InstanceId{instance}); }));
  }
  [[nodiscard]] std::string capabilities() const {
    const auto can =
        ask<Result<ports::TrafficCapabilities>>([](auto* d) { return d->capabilities(); });
    return can ? join(can->remarks, "\n") : describe(can.error());
  }

 private:
  static std::string said(const Status& status) { return status ? "ok" : describe(status.error()); }
  Make make_;
};

// An EDS file of cluster `web` with these endpoints on loopback; more: of each, after its endpoint.
inline std::string envoy_endpoints(const std::vector<std::pair<int, std::string>>& ports) {
  std::string hosts;
  for (const auto& [port, more] : ports)
    hosts +=
        (hosts.empty() ? "" : ",") +
        std::string(
            R"({"endpoint":{"address":{"socket_address":{"address":"127.0.0.1","port_value":)") +
        std::to_string(port) + "}}}" + more + "}";
  return R"({"resources":[{"@type":"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",)"
         R"("cluster_name":"web","endpoints":[{"lb_endpoints":[)" +
         hosts + "]}]}]}";
}

}  // namespace hitless::tests
