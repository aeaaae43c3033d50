// What the service conformance suite runs on: each driver with its real daemon, and the ways in
// which a reload of it can go wrong. A way that it does not have says why.
#pragma once
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "adapters/service/unit_fixture.hpp"

namespace hitless::service {

struct Subject {
  TestUnit unit;
  int port = free_port();
  std::string config;  // the file that generations differ in

  std::function<void(int generation)> configure;  // another good configuration
  bool reloads = true;
  bool has_workers = true;

  // A configuration whose test passes and whose reload exits 0, but does not take effect.
  std::function<void()> break_silently;
  bool silence_is_told = true;  // the driver says not_applied; else it only never says proven
  std::string why_never_silent;
  // A reload that ends the daemon.
  std::function<void()> break_fatally;
  std::string why_never_fatal;
  // Content of `config` that the daemon's own test refuses.
  std::string refused;
  std::string why_no_test;
  // The next start dies at once.
  std::function<void()> break_start;
};

struct SubjectMaker {
  const char* name;
  std::function<std::unique_ptr<Subject>()> make;
};
inline void PrintTo(const SubjectMaker& maker, std::ostream* out) {
  *out << maker.name;
}

[[nodiscard]] const std::vector<SubjectMaker>& subjects();
[[nodiscard]] std::unique_ptr<Subject> make_subject(const std::string& name);

}  // namespace hitless::service
