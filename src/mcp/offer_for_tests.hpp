// A small offer for unit tests: one tool that echoes, one resource, one prompt.
#pragma once
#include "mcp/offer.hpp"

namespace hitless::mcp {

class SmallOffer : public Offer {
 public:
  int calls = 0;
  std::size_t many = 1;  // tools in the list
  DurationMs takes_ms = 0;
  bool finished = false;

  boost::json::object info() const override { return {{"name", "small"}, {"version", "1"}}; }
  std::string instructions() const override { return {}; }
  boost::json::object capabilities(Era) const override {
    return {{"tools", boost::json::object()}};
  }
  boost::json::array tools() override {
    boost::json::array all;
    for (std::size_t i = 0; i < many; ++i)
      all.push_back(boost::json::object{{"name", "tool_" + std::to_string(i)}});
    return all;
  }
  boost::json::array prompts() override { return {}; }
  boost::json::array resource_templates() override { return {}; }
  Task<Outcome> resources() override {
    co_return boost::json::object{{"resources", boost::json::array()}};
  }
  Task<Outcome> call_tool(std::string name, boost::json::object arguments, Call call) override {
    ++calls;
    if (name != "echo")
      co_return tl::unexpected<RpcError>(RpcError{kInvalidParams, "no tool " + name});
    call.progress(1, 2, "half");
    call.log("info", "hello");
    if (takes_ms > 0) co_await sleep_for(takes_ms);
    finished = true;
    co_return boost::json::object{{"content", boost::json::array()},
                                  {"structuredContent", std::move(arguments)}};
  }
  Task<Outcome> read_resource(std::string uri, Call) override {
    co_return tl::unexpected<RpcError>(RpcError{kInvalidParams, "no resource " + uri});
  }
  Task<Outcome> get_prompt(std::string, boost::json::object, Call) override {
    co_return boost::json::object{};
  }
  Outcome complete(const boost::json::object&) override { return boost::json::object{}; }
  Outcome other(const std::string& method, const boost::json::object&) override {
    return tl::unexpected<RpcError>(RpcError{kMethodNotFound, "no method " + method});
  }
};

}  // namespace hitless::mcp
