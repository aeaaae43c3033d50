// How a PostgreSQL client proves that it knows a password: the md5 answer, and SCRAM-SHA-256 (RFC
// 7677, without channel binding). Pure but for the nonce. Nothing is kept: a lost connection begins
// anew.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless::traffic {

// A hostile server may ask for rounds without end; PostgreSQL's default is 4096.
inline constexpr int max_scram_rounds = 200'000;

// "md5" + md5(md5(password + user) + salt), as the server compares it.
[[nodiscard]] std::string md5_answer(std::string_view user, std::string_view password,
                                     std::string_view salt);

class Scram {
 public:
  // nonce: printable, without commas.
  Scram(std::string password, std::string nonce);
  [[nodiscard]] std::string first() const;
  // The server's first message → our last one. Fails on what is not one, and on too many rounds.
  [[nodiscard]] Result<std::string> last(std::string_view server_first);
  // Whether the server knows the password too: without this anybody could be it.
  [[nodiscard]] bool server_is_right(std::string_view server_last) const;

 private:
  std::string password_, nonce_, server_signature_;
};

}  // namespace hitless::traffic
