#include "witness/channel.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <cerrno>

#include "base/text.hpp"

namespace hitless::witness {

namespace asio = boost::asio;

namespace {

std::string ssl_reason() {
  char text[256] = "unknown TLS error";
  if (const unsigned long code = ERR_peek_last_error(); code != 0)
    ERR_error_string_n(code, text, sizeof text);
  return escape_for_terminal(text);
}

bool would_block(int number) {
  return number == EAGAIN || number == EWOULDBLOCK;
}

}  // namespace

Result<SslContext> make_ssl_context(const ProberConfig& config) {
  if (!config.tls) return SslContext();
  ERR_clear_error();
  SslContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) return fail(ErrorCode::internal, "OpenSSL: " + ssl_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  const int loaded = config.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                            : SSL_CTX_load_verify_locations(
                                                  context.get(), config.ca_file.c_str(), nullptr);
  if (loaded != 1)
    return fail(ErrorCode::invalid, "cannot read certificates: " + ssl_reason(), config.ca_file,
                "ca_file: a PEM file with the authority that signed the load balancer's");
  SSL_CTX_set_verify(context.get(), config.verify_tls ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return context;
}

bool Channel::start_tls(SSL_CTX* context, const std::string& name) {
  ssl_.reset(SSL_new(context));
  if (!ssl_) return false;
  boost::system::error_code not_literal;
  asio::ip::make_address(name, not_literal);
  int ok = 0;
  if (not_literal) {
    ok = SSL_set1_host(ssl_.get(), name.c_str());
    ok = ok == 1 && SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) == 1 ? 1 : 0;
  } else {
    ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str());
  }
  boost::system::error_code error;
  socket_.native_non_blocking(true, error);
  SSL_set_connect_state(ssl_.get());
  return ok == 1 && !error && SSL_set_fd(ssl_.get(), socket_.native_handle()) == 1;
}

Channel::Step Channel::failed(int number) {
  error_ = boost::system::error_code(number, boost::system::system_category());
  return Step::ended;
}

Channel::Step Channel::ssl_step(int result) {
  const int number = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::wait_read;
    case SSL_ERROR_WANT_WRITE:
      return Step::wait_write;
    case SSL_ERROR_ZERO_RETURN:
      error_ = asio::error::eof;
      return Step::ended;
    case SSL_ERROR_SYSCALL:
      if (number != 0) return failed(number);
      error_ = asio::error::eof;
      return Step::ended;
    default:
      break;
  }
  error_ = asio::error::eof;
  if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return Step::ended;
  tls_problem_ = ssl_reason();
  if (const long verdict = SSL_get_verify_result(ssl_.get()); verdict != X509_V_OK)
    tls_problem_ = X509_verify_cert_error_string(verdict);
  return Step::ended;
}

Channel::Step Channel::handshake() {
  ERR_clear_error();
  errno = 0;
  const int result = SSL_connect(ssl_.get());
  return result == 1 ? Step::done : ssl_step(result);
}

Channel::Step Channel::send(std::string_view* rest) {
  while (!rest->empty()) {
    errno = 0;
    if (ssl_) {
      ERR_clear_error();
      std::size_t written = 0;
      const int result = SSL_write_ex(ssl_.get(), rest->data(), rest->size(), &written);
      if (result != 1) return ssl_step(result);
      rest->remove_prefix(written);
      continue;
    }
    const ssize_t n =
        ::send(socket_.native_handle(), rest->data(), rest->size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      rest->remove_prefix(static_cast<std::size_t>(n));
    } else if (would_block(errno)) {
      return Step::wait_write;
    } else if (errno != EINTR) {
      return failed(errno);
    }
  }
  return Step::done;
}

Channel::Step Channel::receive(char* into, std::size_t size, std::size_t* got) {
  *got = 0;
  for (;;) {
    errno = 0;
    if (ssl_) {
      ERR_clear_error();
      const int result = SSL_read_ex(ssl_.get(), into, size, got);
      return result == 1 ? Step::done : ssl_step(result);
    }
    const ssize_t n = ::recv(socket_.native_handle(), into, size, MSG_DONTWAIT);
    if (n > 0) {
      *got = static_cast<std::size_t>(n);
      return Step::done;
    }
    if (n == 0) {
      error_ = asio::error::eof;
      return Step::ended;
    }
    if (would_block(errno)) return Step::wait_read;
    if (errno != EINTR) return failed(errno);
  }
}

bool Channel::quiet() {
  char byte = 0;
  const ssize_t n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && would_block(errno);
}

void Channel::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace hitless::witness
