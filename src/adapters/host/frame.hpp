// The framing of commands over one shell: each stream carries  \n<nonce> b\n  output  \n<nonce> e
// <code>\n . A nonce is 128 random bits made for one command, which the command itself never sees,
// so output can hold any bytes, also ones that imitate a frame of an earlier command.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace hitless::host {

// What to write to sh for one command. `body` is sh text; it runs in a subshell with `input` (any
// bytes, sent as base64) as its stdin, so it can neither read the script nor change the session.
[[nodiscard]] std::string frame_script(const std::string& nonce, const std::string& body,
                                       const std::string& input);

// Takes one stream apart. Holds at most max_bytes of output; what is beyond is dropped and noted.
class FrameParser {
 public:
  FrameParser(const std::string& nonce, std::size_t max_bytes);
  void feed(std::string_view bytes);
  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] bool begun() const { return state_ != State::before; }
  [[nodiscard]] int exit_code() const { return exit_code_; }  // when done; -1: not a number
  [[nodiscard]] bool truncated() const { return truncated_; }
  [[nodiscard]] std::string& output() { return output_; }

 private:
  enum class State { before, inside, tail, done };
  void keep(std::size_t n);
  bool step();
  std::string begin_, end_;
  std::size_t max_bytes_;
  State state_ = State::before;
  std::string pending_;
  std::string output_;
  int exit_code_ = -1;
  bool truncated_ = false;
};

}  // namespace hitless::host
