// One TCP connection of the prober, plain or TLS, without any wait in it: each step does what can
// be done now and says what to wait for. So thousands of them share one read buffer.
//
// TLS is OpenSSL on the socket itself (Asio's ssl::stream holds two 17 KiB buffers for each
// connection). The chain and the name are verified unless told otherwise. A connection that ended
// without a close_notify is one that ended: HTTP's own framing tells whether something is missing.
#pragma once
#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "witness/prober.hpp"

namespace hitless::witness {

struct FreeSsl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSsl>;

// Null without tls in the config.
[[nodiscard]] Result<SslContext> make_ssl_context(const ProberConfig& config);

class Channel {
 public:
  enum class Step { done, wait_read, wait_write, ended };

  explicit Channel(boost::asio::io_context& io) : socket_(io) {}
  [[nodiscard]] boost::asio::ip::tcp::socket& socket() { return socket_; }
  // After the TCP connection is there: TLS for this name. False: OpenSSL refused (out of memory).
  [[nodiscard]] bool start_tls(SSL_CTX* context, const std::string& name);

  // `ended` sets error(), and tls_problem() when it was TLS that failed.
  Step handshake();
  Step send(std::string_view* rest);  // takes off what was sent
  Step receive(char* into, std::size_t size, std::size_t* got);
  // An idle connection that is neither closed nor has anything to read.
  [[nodiscard]] bool quiet();
  void close();

  [[nodiscard]] bool open() const { return socket_.is_open(); }
  [[nodiscard]] const boost::system::error_code& error() const { return error_; }
  [[nodiscard]] const std::string& tls_problem() const { return tls_problem_; }

 private:
  Step ssl_step(int result);
  Step failed(int number);

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  boost::system::error_code error_;
  std::string tls_problem_;
};

}  // namespace hitless::witness
