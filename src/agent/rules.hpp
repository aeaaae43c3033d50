// The rules of the reasoner without a model, as one table: which words in which source speak for
// which category. Text matching only, no regular expressions: linear time on hostile input.
#pragma once
#include <string_view>
#include <vector>

#include "agent/diagnosis.hpp"

namespace hitless::agent {

// How a rule finds what is at fault.
enum class Component {
  unit,      // the service's unit on its host
  path,      // the first absolute path in the line
  port,      // "host:port" of the address in the line
  name,      // the word after "name=" or the host name that could not be resolved
  upstream,  // the server that the change added to a proxy's pool
  host,      // the host of the evidence
  lb,        // the load balancer
  fleet,     // the rollout as a whole
};

struct Rule {
  Category category;
  Source source;
  std::vector<std::string_view> any;   // one of these must be in the line, whatever their case
  std::vector<std::string_view> none;  // and none of these
  Component component;
  // Says something only beside another source: a change that takes a setting away is no fault yet.
  bool only_beside_others = false;
};
[[nodiscard]] const std::vector<Rule>& rules();

// What is said of a category, and what is recommended for it.
struct Meaning {
  std::string_view sentence;   // with {component}
  Recommendation before;       // nothing was touched yet
  Recommendation after;        // an instance was changed
  int rank;                    // causes 0, how it shows on the host 1, to clients 2
  std::vector<Source> wanted;  // sources that would tell more
};
[[nodiscard]] const Meaning& meaning_of(Category category);

}  // namespace hitless::agent
