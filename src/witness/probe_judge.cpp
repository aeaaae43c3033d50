// What became of an exchange, and what becomes of its connection.
#include <boost/asio/error.hpp>

#include "base/text.hpp"
#include "witness/probe_loop.hpp"

namespace hitless::witness {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// The server closes a "Connection: close" first within this time, so that the port's TIME_WAIT is
// on its side and 2,000 connections a second do not use up our ports.
constexpr auto kLinger = std::chrono::milliseconds(50);

std::int64_t us_since(Clock::time_point from) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - from).count();
}

// Errors that say something about this machine's limits, not about the service.
bool our_own_limit(const error_code& e) {
  namespace errc = boost::system::errc;
  return e == errc::too_many_files_open || e == errc::too_many_files_open_in_system ||
         e == errc::address_not_available || e == errc::no_buffer_space ||
         e == errc::not_enough_memory || e == errc::resource_unavailable_try_again;
}

}  // namespace

// True: it was a WebSocket's, and is judged.
bool ProbeLoop::judge_websocket(const Exchange& x) {
  if (x.echoed) {
    tally_->answered(101, wall_now_ms(), us_since(x.sent_at));
  } else if (x.wrong_echo) {
    lose(x, LossKind::wrong_body, "the echo is not what was sent");
  } else if (x.ws_malformed) {
    lose(x, LossKind::malformed, x.detail);
  } else if (x.cut_idle) {
    lose(x, LossKind::stale_close, "the session ended between messages, without a close frame");
  } else if (x.link && x.link->ws && x.link->ws->state() == WebSocket::State::closed) {
    lose(x, LossKind::stale_close, "closed while a message waited for its echo");
  } else if (x.reader.state() == ResponseReader::State::complete && x.reader.status() < 400) {
    lose(x, LossKind::malformed, fmt::format("HTTP {}, not upgraded", x.reader.status()));
  } else {
    return false;
  }
  return true;
}

void ProbeLoop::judge(const Exchange& x) {
  using State = ResponseReader::State;
  const ResponseReader& answer = x.reader;
  const bool whole = answer.state() == State::complete && answer.status() < 500;
  if (x.shape->type == RequestType::ws_echo && judge_websocket(x)) return;
  if (whole && answer.status() < 400 && !answer.found()) {
    lose(x, LossKind::wrong_body, "the answer lacks what is expected in it");
  } else if (whole) {
    tally_->answered(answer.status(), wall_now_ms(), us_since(x.sent_at));
  } else if (answer.status() >= 500) {
    lose(x, LossKind::http_5xx, fmt::format("HTTP {}", answer.status()));
  } else if (answer.state() == State::malformed) {
    lose(x, LossKind::malformed, answer.why());
  } else if (x.expired) {
    const char* what = !answer.any_byte() ? "no answer" : "no whole answer";
    lose(x, LossKind::timeout, fmt::format("{} in {}", what, format_duration(config_.timeout_ms)));
  } else if (gave_up_) {
    tally_->unfinished();
  } else {
    judge_broken(x);
  }
}

void ProbeLoop::judge_broken(const Exchange& x) {
  if (x.reader.any_byte()) {
    lose(x, LossKind::short_body,
         fmt::format("broke off after {} bytes of body: {}", x.reader.body_bytes(),
                     x.error.message()));
  } else if (x.tls_failed) {
    lose(x, LossKind::tls, x.detail);
  } else if (x.reused) {
    lose(x, LossKind::stale_close, "closed without an answer: " + x.error.message());
  } else if (our_own_limit(x.error)) {
    tally_->withdrawn(x.shape->type, x.error.message());
  } else if (x.error == asio::error::eof || x.error == asio::error::connection_reset ||
             x.error == asio::error::broken_pipe) {
    lose(x, LossKind::reset, "closed without an answer: " + x.error.message());
  } else if (x.error == asio::error::timed_out) {
    lose(x, LossKind::timeout, "no connection: " + x.error.message());
  } else {
    lose(x, LossKind::refused, "no connection: " + x.error.message());
  }
}

void ProbeLoop::lose(const Exchange& x, LossKind kind, std::string detail) {
  Loss loss;
  loss.at_ms = x.sent_at_ms;
  loss.kind = kind;
  loss.type = x.shape->type;
  loss.status = x.reader.status();
  loss.after_us = us_since(x.sent_at);
  loss.path = x.shape->path;
  loss.server = escape_for_terminal(x.reader.server());
  loss.id = x.id;
  loss.detail = escape_for_terminal(detail);
  tally_->lost(std::move(loss), wall_now_ms());
}

void ProbeLoop::release(Exchange& x) {
  if (!x.link) return;  // a WebSocket that was cut while idle: it is gone and counted out
  const bool open = x.link->channel.open();
  if (x.pool != nullptr) {
    const bool reusable = x.shape->type == RequestType::ws_echo
                              ? x.echoed && x.link->ws->state() == WebSocket::State::open
                              : x.reader.reusable();
    if (open && reusable && !stopping_ && x.pool->idle.size() < config_.kept_connections) {
      x.pool->idle.push_back(std::move(x.link));
      return;
    }
    --x.pool->open;
  }
  if (!open || x.reader.state() != ResponseReader::State::complete || stopping_) {
    x.link.reset();
    return;
  }
  if (lingering_.size() >= max_lingering_) lingering_.pop_front();
  lingering_.emplace_back(Clock::now() + kLinger, std::move(x.link));
}

}  // namespace hitless::witness
