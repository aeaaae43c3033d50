// Reading a request in plain words with a controlled vocabulary, without a model: which action or
// question, on which service and hosts, how, and why.
//
// Invariants: every word is either understood, or part of a reason ("because …", "… leaks"), or
// named as not understood; an action of which one word was not understood is not clear() and must
// not be carried out. Nothing is guessed: what fits more than one service is listed as choices. A
// negation can only take away. Pure: the same words and the same fleet give the same reading.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hitless::agent {

inline constexpr std::size_t kMaxAskBytes = 600;

struct KnownService {
  std::string name;
  std::vector<std::string> aliases;  // its kind and its unit: "nginx", "app.service"
  std::vector<std::string> hosts;
};

// What the fleet file names. A word that is not in here names nothing.
struct KnownFleet {
  std::vector<KnownService> services;
  std::map<std::string, std::vector<std::string>> groups;  // inventory groups and zones: hosts
};

enum class Wish {
  none,
  // actions
  restart,
  reload,
  apply,
  patch,
  reboot,
  rollback,
  retry,
  pause,
  resume,
  abort,
  // questions
  status,
  out_of_rotation,
  why,
  history,
  incidents,
};
[[nodiscard]] std::string_view to_string(Wish wish);
[[nodiscard]] bool is_action(Wish wish);
// Works on a service by a plan, in contrast to what steers a rollout that is there already.
[[nodiscard]] bool is_planned(Wish wish);

struct Request {
  Wish wish = Wish::none;
  bool only_plan = false;  // "what would happen if …"
  std::string service;
  std::vector<std::string> hosts;     // empty: all of the service
  std::vector<std::string> left_out;  // "but not web03"; hosts has them no more
  std::string canary;
  std::optional<std::int64_t> at_once;
  bool if_needed = false;
  std::vector<std::string> packages;
  std::string id;  // R-… or INC-…
  bool safely = false;
  std::string reason;                       // as it was said
  std::vector<std::string> notes;           // how a word was read: "nginx is the service web"
  std::vector<std::string> not_done;        // what was forbidden, and is respected
  std::vector<std::string> not_understood;  // words
  std::vector<std::string> problems;  // why nothing can be done, each with what to say instead
  bool refused = false;               // it asks for what is never on offer
  std::vector<std::string> choices;   // of which one must be said

  // An action that may be planned, or a question that can be answered.
  [[nodiscard]] bool clear() const;
};

[[nodiscard]] Request understand(std::string_view text, const KnownFleet& fleet);

// "hitless restart web --limit web01", the same in commands.
[[nodiscard]] std::vector<std::string> command_of(const Request& request);
// What an action of this kind does to each instance, and why that way; one sentence a line.
[[nodiscard]] std::vector<std::string> what_will_happen(const Request& request);

}  // namespace hitless::agent
