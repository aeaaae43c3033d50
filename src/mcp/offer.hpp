// What a server offers: tools, resources, prompts. The protocol knows only this interface; `hitless
// mcp` offers the tool registry through it, and the conformance tests a fixture.
//
// Lists are in an order that is always the same. A call is a coroutine; when its client goes away
// it is cancelled at its next await.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <string>

#include "mcp/message.hpp"
#include "runtime/task.hpp"

namespace hitless::mcp {

enum class Era { legacy, modern };  // until 2025-11-25; from 2026-07-28

// One request under way.
struct Call {
  Era era = Era::legacy;
  boost::json::object params;               // of the request, with _meta
  boost::json::object client_capabilities;  // as it declared them
  // Progress is sent only when the client gave a token, log lines only from the level that it asked
  // for; both do nothing where they cannot be sent.
  std::function<void(double done, double total, std::string text)> progress;
  std::function<void(std::string level, boost::json::value data)> log;
  // Asks the client for something and waits (legacy era only; elsewhere it fails).
  std::function<Task<Outcome>(std::string method, boost::json::object params)> ask_client;
};

class Offer {
 public:
  virtual ~Offer() = default;
  [[nodiscard]] virtual boost::json::object info() const = 0;  // name, version
  [[nodiscard]] virtual std::string instructions() const = 0;
  [[nodiscard]] virtual boost::json::object capabilities(Era era) const = 0;

  virtual boost::json::array tools() = 0;
  virtual boost::json::array prompts() = 0;
  virtual boost::json::array resource_templates() = 0;
  virtual Task<Outcome> resources() = 0;  // {"resources": […]}
  // {content, structuredContent?, isError?}; kInvalidParams for an unknown tool.
  virtual Task<Outcome> call_tool(std::string name, boost::json::object arguments, Call call) = 0;
  virtual Task<Outcome> read_resource(std::string uri, Call call) = 0;
  virtual Task<Outcome> get_prompt(std::string name, boost::json::object arguments, Call call) = 0;
  virtual Outcome complete(const boost::json::object& params) = 0;
  // resources/subscribe and the like; kMethodNotFound when it does not offer them.
  virtual Outcome other(const std::string& method, const boost::json::object& params) = 0;
};

}  // namespace hitless::mcp
