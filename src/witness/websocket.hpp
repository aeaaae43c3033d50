// The client's half of a WebSocket (RFC 6455), as much as an echo needs: the upgrade, whole text
// messages out, whole messages, pings and the close frame in. Strict, like ResponseReader: what a
// careful client would refuse is malformed. Memory is bounded by kMaxMessage and kMaxHead.
#pragma once
#include <string>
#include <string_view>

namespace hitless::witness {

class WebSocket {
 public:
  enum class State { upgrading, not_upgraded, open, closed, malformed };
  static constexpr std::size_t kMaxHead = 16 * 1024;
  static constexpr std::size_t kMaxMessage = 64 * 1024;

  WebSocket();
  // What follows the path and Host of the upgrade request, up to the empty line.
  [[nodiscard]] std::string upgrade_headers() const;
  // A whole text frame, masked.
  [[nodiscard]] static std::string text_frame(std::string_view message);

  // While upgrading an answer that is not 101 ends in not_upgraded, and take_bytes() gives it back
  // whole, for whoever reads HTTP.
  State feed(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const char* why() const { return why_; }
  [[nodiscard]] std::string take_bytes() { return std::move(input_); }
  // The next whole message; false: none yet.
  [[nodiscard]] bool take_message(std::string* message);
  // Frames that are owed to the server (pongs); to be sent before anything else.
  [[nodiscard]] std::string take_owed() { return std::move(owed_); }

 private:
  State bad(const char* why);
  void read_head();
  [[nodiscard]] bool read_frame();
  [[nodiscard]] bool accept_header_fits(std::string_view head) const;

  std::string key_, input_, message_, owed_;
  bool in_message_ = false, have_message_ = false;
  State state_ = State::upgrading;
  const char* why_ = "";
};

}  // namespace hitless::witness
