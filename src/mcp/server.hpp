// One MCP server: the dispatch with its sessions, the work under way, and what clients were asked.
//
// Transports hand in a message and get its reply; what goes to the client before that (progress,
// log lines, requests) goes through `send`. At most kMaxRunning requests at once and kRequestMs for
// each. A crash loses sessions and requests under way, nothing else: rollouts live in other
// processes.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "mcp/dispatch.hpp"
#include "runtime/task.hpp"

namespace hitless::mcp {

inline constexpr std::size_t kMaxRunning = 32;
inline constexpr DurationMs kRequestMs = 120'000;

using Send = std::function<void(boost::json::object message)>;

class Server {
 public:
  Server(Offer* offer, std::function<std::string()> make_id) : offer_(offer), sessions_(make_id) {}
  // gone: notified when nobody waits for the reply any more. send: empty where nothing can be sent.
  Task<Reply> handle(std::string body, std::optional<Headers> headers, Session* connection,
                     Send send, std::shared_ptr<Signal> gone);
  bool close_session(const std::string& id) { return sessions_.close(id); }
  [[nodiscard]] bool knows_session(const std::string& id) { return sessions_.find(id) != nullptr; }

 private:
  struct Asked {
    std::shared_ptr<Signal> answered = std::make_shared<Signal>();
    std::optional<boost::json::object> message;
  };
  [[nodiscard]] Call call_of(const Work& work, Send send);
  Task<Outcome> ask(std::string session, Send send, std::string method, boost::json::object params);
  Task<Reply> run(Work work, Send send, std::shared_ptr<Signal> gone);
  void take_answer(const ClientAnswer& answer);

  Offer* offer_;
  Sessions sessions_;
  std::map<std::string, std::shared_ptr<Signal>> running_;  // by session and request id
  std::map<std::string, std::shared_ptr<Asked>> asked_;     // by session and our id
  std::int64_t next_ask_ = 1;
  std::int64_t next_exchange_ = 1;  // stands for the session where there is none
};

}  // namespace hitless::mcp
