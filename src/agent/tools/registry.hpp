// The one registry of typed tools. Our own reasoner, a language model and MCP clients see the same
// tools through the same gate; what is not in here cannot be asked for by any of them.
//
// Never in here: approving a plan, releasing the kill switch, changing the policy, a shell, writing
// a file, fetching a URL.
//
// Invariants: a call is checked in one place (call()): the tool is offered to this caller, the
// arguments fit the input schema; and what comes out is redacted, free of control and bidi
// characters, capped, and fits the output schema. A handler cannot get around it, and no transport
// has a gate of its own. Handlers are coroutines on the caller's executor; a cancelled call is
// abandoned at its next await. Nothing is kept here; after a crash there is nothing to recover.
#pragma once
#include <boost/json/object.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "runtime/task.hpp"

namespace hitless::agent {

enum class Level {
  read,     // looks, changes nothing anywhere
  propose,  // writes only into our own state folder
  act,      // starts a rollout
  safe,     // the safe direction (pause, abort, kill switch): always offered
};
[[nodiscard]] std::string_view to_string(Level level);

// How far a caller may go. `safe` needs none of it.
enum class Allow { read, propose, act };
[[nodiscard]] std::string_view to_string(Allow allow);

// As MCP's ToolAnnotations: hints for people and clients, never a gate.
struct Hints {
  bool read_only = true;
  bool destructive = false;
  bool idempotent = true;
  bool open_world = false;  // it reaches beyond this machine's own state: hosts, load balancers
};

// Who asks. The names are ours (account, token, client), never taken from arguments.
struct Caller {
  std::string name;      // "agent claude-desktop"
  std::string for_whom;  // the account that it works for: "alice@laptop"
  Allow allow = Allow::read;
};

// An Error is an answer too: what a model or person may mend and try again.
using Answer = Result<boost::json::object>;
using Handler = std::function<Task<Answer>(boost::json::object arguments, Caller caller)>;

struct Tool {
  std::string name;         // snake_case, at most 64 characters
  std::string title;        // for people
  std::string description;  // for models: when to use it, what comes back
  Level level = Level::read;
  Hints hints;
  boost::json::object input;   // schema; an object
  boost::json::object output;  // schema; an object
  Handler handle;
};

class Registry {
 public:
  // Throws std::logic_error when the tool breaks a rule above: a bug of ours, found by any test.
  void add(Tool tool);
  [[nodiscard]] const Tool* find(std::string_view name) const;
  [[nodiscard]] bool offered(const Tool& tool, Allow allow) const;
  // Of what is offered, by name: the order is always the same.
  [[nodiscard]] std::vector<const Tool*> list(Allow allow) const;
  // Errors: not_found (no such tool, or not offered to this caller), invalid (the arguments), and
  // what the tool itself says.
  Task<Answer> call(std::string name, boost::json::object arguments, Caller caller) const;

 private:
  std::vector<Tool> tools_;  // by name
};

// Every string redacted, without control and bidi characters (they become visible escapes; line
// breaks stay) and cut to a limit. For whatever leaves by other ways than call().
[[nodiscard]] boost::json::value cleaned(const boost::json::value& value);

}  // namespace hitless::agent
