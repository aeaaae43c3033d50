#include "mcp/server.hpp"

#include <boost/asio/error.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "runtime/stoppable.hpp"

namespace hitless::mcp {
namespace {

namespace json = boost::json;

constexpr DurationMs kAskClientMs = 60'000;

std::string key_of(const std::string& session, const json::value& id) {
  return session + " " + json::serialize(id);
}

Outcome cannot_ask(std::string why) {
  return tl::unexpected<RpcError>(RpcError{kInternalError, std::move(why)});
}

// Standard output belongs to the protocol.
void log_bug(const Work& work, const std::exception& e) {
  std::fprintf(stderr, "hitless mcp: %s failed: %s\n", work.message.method.c_str(), e.what());
}

Task<void> perform_into(Offer* offer, Work work, Call call, std::shared_ptr<Outcome> out) {
  *out = co_await perform(offer, std::move(work), std::move(call));
}

}  // namespace

Task<Outcome> Server::ask(std::string session, Send send, std::string method, json::object params) {
  auto asked = std::make_shared<Asked>();
  const std::string id = "hitless-" + std::to_string(next_ask_++);
  const std::string key = key_of(session, json::value(json::string(id)));
  asked_[key] = asked;
  send({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}});
  std::exception_ptr cancelled;
  try {
    (void)co_await asked->answered->wait_for(kAskClientMs);
  } catch (...) {
    cancelled = std::current_exception();
  }
  asked_.erase(key);
  if (cancelled) std::rethrow_exception(cancelled);
  if (!asked->message) co_return cannot_ask("the client did not answer " + method);
  const json::object* result = object_at(*asked->message, "result");
  if (result == nullptr) co_return cannot_ask("the client refused " + method);
  co_return *result;
}

Call Server::call_of(const Work& work, Send send) {
  Call call;
  call.era = work.era;
  call.params = work.message.params;
  call.client_capabilities = work.client_capabilities;
  call.progress = [token = work.progress_token, send](double done, double total, std::string text) {
    if (token.is_null() || !send) return;
    json::object params{{"progressToken", token}, {"progress", done}, {"total", total}};
    if (!text.empty()) params["message"] = text;
    send(notification("notifications/progress", std::move(params)));
  };
  call.log = [work, send](std::string level, json::value data) {
    if (!send || !log_level_wanted(work, level)) return;
    send(notification("notifications/message", {{"level", level}, {"data", std::move(data)}}));
  };
  call.ask_client = [this, session = work.session, send, era = work.era](
                        std::string method, json::object params) -> Task<Outcome> {
    if (era == Era::modern || !send) co_return cannot_ask("this client cannot be asked");
    co_return co_await ask(session, send, std::move(method), std::move(params));
  };
  return call;
}

Task<Reply> Server::run(Work work, Send send, std::shared_ptr<Signal> gone) {
  auto outcome = std::make_shared<Outcome>(tl::unexpected<RpcError>(
      RpcError{kInternalError, "it took too long, was cancelled, or failed by a bug of ours"}));
  const std::string key = key_of(work.session, work.message.id);
  const bool full = running_.size() >= kMaxRunning;
  if (full || running_.count(key) != 0) {
    *outcome = tl::unexpected<RpcError>(RpcError{
        kInternalError, full ? "too many requests at once: at most " + std::to_string(kMaxRunning)
                             : "a request with this id is still under way"});
    co_return conclude(work, *offer_, std::move(*outcome));
  }
  running_[key] = gone;
  std::exception_ptr error;
  try {
    (void)co_await finish_unless_stopped(perform_into(offer_, work, call_of(work, send), outcome),
                                         gone, kRequestMs);
  } catch (const boost::system::system_error& e) {
    if (e.code() == boost::asio::error::operation_aborted) error = std::current_exception();
    log_bug(work, e);
  } catch (const std::exception& e) {
    log_bug(work, e);
  }
  running_.erase(key);
  if (error) std::rethrow_exception(error);
  co_return conclude(work, *offer_, std::move(*outcome));
}

void Server::take_answer(const ClientAnswer& answer) {
  const auto found = asked_.find(key_of(answer.session, answer.message.at("id")));
  if (found == asked_.end()) return;  // too late, or never asked
  found->second->message = answer.message;
  found->second->answered->notify();
}

Task<Reply> Server::handle(std::string body, std::optional<Headers> headers, Session* connection,
                           Send send, std::shared_ptr<Signal> gone) {
  Step step = decide({body, headers ? &*headers : nullptr, connection}, sessions_, *offer_);
  if (auto* reply = std::get_if<Reply>(&step)) co_return std::move(*reply);
  if (const auto* answer = std::get_if<ClientAnswer>(&step)) {
    take_answer(*answer);
    co_return Reply{202, {}, {}};
  }
  if (const auto* cancellation = std::get_if<Cancellation>(&step)) {
    const auto found = running_.find(key_of(cancellation->session, cancellation->request));
    if (found != running_.end()) found->second->notify();
    co_return Reply{202, {}, {}};
  }
  Work work = std::move(std::get<Work>(step));
  // Over HTTP the modern era has no sessions: the ids of one client say nothing about another's.
  if (work.era == Era::modern && headers)
    work.session = "exchange " + std::to_string(next_exchange_++);
  co_return co_await run(std::move(work), std::move(send), std::move(gone));
}

}  // namespace hitless::mcp
