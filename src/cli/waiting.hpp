// One line that says at once what hitless is at, while hosts and load balancers are asked: a
// terminal that stays empty looks like a program that hangs. On a terminal it goes away again; in a
// log it stays. Nothing with --json or --progress quiet.
#pragma once
#include <string>

#include "cli/app.hpp"

namespace hitless::cli {

class Waiting {
 public:
  Waiting(const App& app, const std::string& text);
  ~Waiting() { done(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  void done();  // before anything else is printed

 private:
  bool to_erase_ = false;
};

}  // namespace hitless::cli
