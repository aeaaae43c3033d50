#include "adapters/host/frame.hpp"

#include <algorithm>
#include <charconv>

#include "base/digest.hpp"

namespace hitless::host {
namespace {

constexpr std::size_t base64_line = 1024;
constexpr std::size_t max_exit_code_digits = 3;

}  // namespace

std::string frame_script(const std::string& nonce, const std::string& body,
                         const std::string& input) {
  std::string text = "printf '\\n%s b\\n' " + nonce + "; printf '\\n%s b\\n' " + nonce + " >&2\n";
  if (input.empty()) {
    text += "( " + body + "\n) </dev/null\n";
  } else {
    // The here-document starts after the line of its <<, so that comes after the body's last line.
    text += "{ base64 -d | ( " + body + "\n); } <<'" + nonce + "'\n";
    const std::string encoded = base64(input);
    for (std::size_t at = 0; at < encoded.size(); at += base64_line) {
      text += encoded.substr(at, base64_line) + "\n";
    }
    text += nonce + "\n";
  }
  return text + "hitless_rc=$?; printf '\\n%s e %d\\n' " + nonce +
         " $hitless_rc; printf '\\n%s e %d\\n' " + nonce + " $hitless_rc >&2\n";
}

FrameParser::FrameParser(const std::string& nonce, std::size_t max_bytes)
    : begin_("\n" + nonce + " b\n"), end_("\n" + nonce + " e "), max_bytes_(max_bytes) {}

// Moves the first n pending bytes to the output, as far as there is room.
void FrameParser::keep(std::size_t n) {
  const std::size_t room = max_bytes_ - std::min(max_bytes_, output_.size());
  output_.append(pending_, 0, std::min(n, room));
  if (n > room) truncated_ = true;
  pending_.erase(0, n);
}

bool FrameParser::step() {
  const std::string& mark = state_ == State::before ? begin_ : end_;
  if (state_ == State::tail) {
    const std::size_t line_end = pending_.find('\n');
    if (line_end == std::string::npos && pending_.size() <= max_exit_code_digits) return false;
    const char* last = pending_.data() + std::min(line_end, pending_.size());
    int code = -1;
    const auto [at, error] = std::from_chars(pending_.data(), last, code);
    if (error == std::errc() && at == last && code >= 0 && code <= 255) exit_code_ = code;
    state_ = State::done;
    pending_.clear();
    return false;
  }
  const std::size_t at = pending_.find(mark);
  if (at == std::string::npos) {
    // All but what may be the start of a mark is output, or what came before ours.
    const std::size_t n = pending_.size() - std::min(pending_.size(), mark.size() - 1);
    if (state_ == State::before)
      pending_.erase(0, n);
    else
      keep(n);
    return false;
  }
  if (state_ == State::before)
    pending_.erase(0, at);
  else
    keep(at);
  pending_.erase(0, mark.size());
  state_ = state_ == State::before ? State::inside : State::tail;
  return true;
}

void FrameParser::feed(std::string_view bytes) {
  if (done()) return;
  pending_.append(bytes);
  while (step()) {
  }
}

}  // namespace hitless::host
