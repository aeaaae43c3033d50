#include "witness/websocket.hpp"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace hitless::witness {

namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kMaxOwed = 4096;  // a server that pings without end is not answered for ever
enum Opcode : unsigned {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10
};

std::string random_bytes(std::size_t n) {
  std::string bytes(n, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(n)) != 1)
    bytes.assign(n, '\x5a');  // the mask protects proxies from chosen bytes; ours are not chosen
  return bytes;
}

std::string frame(unsigned opcode, std::string_view payload) {
  std::string out(1, static_cast<char>(0x80u | opcode));
  const std::size_t size = payload.size();
  if (size < 126) {
    out += static_cast<char>(0x80u | size);
  } else {
    out += static_cast<char>(0x80u | 126u);
    out += static_cast<char>(size >> 8 & 0xffu);
    out += static_cast<char>(size & 0xffu);
  }
  const std::string mask = random_bytes(4);
  out += mask;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

unsigned byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

}  // namespace

WebSocket::WebSocket() : key_(base64(random_bytes(16))) {}

std::string WebSocket::upgrade_headers() const {
  return "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: " +
         key_ + "\r\n";
}

std::string WebSocket::text_frame(std::string_view message) {
  return frame(kText, message.substr(0, kMaxMessage - 1));
}

WebSocket::State WebSocket::bad(const char* why) {
  why_ = why;
  return state_ = State::malformed;
}

WebSocket::State WebSocket::feed(std::string_view bytes) {
  if (state_ == State::closed || state_ == State::malformed) return state_;
  input_ += bytes;
  if (state_ == State::upgrading) read_head();
  while (state_ == State::open && read_frame()) {
  }
  return state_;
}

void WebSocket::read_head() {
  constexpr std::string_view start = "HTTP/1.1 101";
  const std::size_t n = std::min(start.size(), input_.size());
  if (input_.compare(0, n, start.substr(0, n)) != 0) {
    state_ = State::not_upgraded;
    return;
  }
  const std::size_t end = input_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (input_.size() > kMaxHead) bad("head longer than 16 KiB");
    return;
  }
  if (!accept_header_fits(std::string_view(input_).substr(0, end + 2))) {
    bad("wrong Sec-WebSocket-Accept");
    return;
  }
  input_.erase(0, end + 4);
  state_ = State::open;
}

bool WebSocket::accept_header_fits(std::string_view head) const {
  const std::string text = key_ + std::string(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  const std::string wanted = base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  constexpr std::string_view name = "\r\nsec-websocket-accept:";
  const std::size_t at = lowered(head).find(name);
  if (at == std::string::npos) return false;
  const std::size_t from = at + name.size();
  return trim(head.substr(from, head.find("\r\n", from) - from)) == wanted;
}

bool WebSocket::read_frame() {
  if (input_.size() < 2) return false;
  const unsigned first = byte_at(input_, 0), second = byte_at(input_, 1);
  const unsigned opcode = first & 0x0fu;
  const bool last = (first & 0x80u) != 0;
  std::size_t size = second & 0x7fu, header = 2;
  if ((first & 0x70u) != 0 || (second & 0x80u) != 0 || size == 127 ||
      (opcode >= 8 && (!last || size > 125))) {
    bad("a frame that we did not agree to");
    return false;
  }
  if (size == 126) {
    if (input_.size() < 4) return false;
    size = byte_at(input_, 2) << 8 | byte_at(input_, 3);
    header = 4;
  }
  if (input_.size() < header + size) return false;
  const std::string payload = input_.substr(header, size);
  input_.erase(0, header + size);
  if (opcode == kClose) {
    state_ = State::closed;
  } else if (opcode == kPing) {
    if (owed_.size() < kMaxOwed) owed_ += frame(kPong, payload);
  } else if (opcode != kPong) {
    const bool starts = opcode == kText || opcode == kBinary;
    if ((!starts && opcode != kContinuation) || starts == in_message_ ||
        message_.size() + size > kMaxMessage || have_message_) {
      bad("a message that nobody asked for");
      return false;
    }
    message_ += payload;
    in_message_ = !last;
    have_message_ = last;
  }
  return state_ == State::open;
}

bool WebSocket::take_message(std::string* message) {
  if (!have_message_) return false;
  *message = std::move(message_);
  message_.clear();
  have_message_ = false;
  return true;
}

}  // namespace hitless::witness
