// Secret text: a key, a token. It has no formatter, no operator<< and no comparison, so it cannot
// slip into a log or a message; whoever needs the value says reveal(). Wiped when it goes.
#pragma once
#include <openssl/crypto.h>

#include <iosfwd>
#include <string>
#include <utility>

namespace hitless::aws {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }

  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  std::string text_;
};

}  // namespace hitless::aws
