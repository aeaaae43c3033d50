// The words of a request, sorted: verbs, names, what is forbidden, reasons, and what is none of
// these. The first half of understand(); what it all means together is decided in ask.cpp.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ask.hpp"
#include "agent/ask_words.hpp"

namespace hitless::agent {

// Each mention of a service is the services that it may mean: an alias can mean several.
struct Names {
  std::vector<std::vector<std::string>> services;
  std::vector<std::string> hosts;
};

struct Forbidden {
  Wish wish = Wish::none;  // none: whatever it is
  std::vector<std::string> services, hosts;
  [[nodiscard]] std::vector<std::string> all_names() const {
    std::vector<std::string> all = services;
    all.insert(all.end(), hosts.begin(), hosts.end());
    return all;
  }
};

struct Reading {
  Names target;   // named beside an action
  Names subject;  // named where only a state is described: "nginx on web01 leaks"
  std::vector<Wish> verbs;
  std::vector<Forbidden> forbidden;
  std::vector<std::string> left_out;  // hosts
  std::vector<std::int64_t> at_once;
  std::vector<std::string> never_offered;
  std::set<Tag> saw;
  bool question = false, planning = false, pronoun = false, all = false;
};

// Fills what needs no decision in `request` too: id, reason, canary, packages, flags, notes, words
// that were not understood.
[[nodiscard]] Reading read_words(std::string_view text, const KnownFleet& fleet, Request& request);

}  // namespace hitless::agent
