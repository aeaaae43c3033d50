// Three small web servers under our control that lose exactly k requests on command, all on one
// thread. Each counts what it was asked and what it lost: the truth that the certificate is held
// against.
//
// Requests: any path, GET or POST; POSTs are counted by their id before the answer, like a side
// effect that cannot be undone; an upgrade to WebSocket echoes text frames. /boom is always a 500,
// /missing a 404.
#pragma once
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hitless::certify {

enum class Fault {
  none,
  cut,         // RST before a byte of answer
  hang,        // takes the request, never answers
  short_body,  // 200, Content-Length 100, ten bytes, FIN
  error_500,   // the application's own, with its name
};

// A port below the range of outgoing connections, free right now, never given out twice by one
// slot (0..7; each process that runs at the same time has its own).
void use_port_slot(unsigned slot);
std::uint16_t free_port();

class Backend {
 public:
  Backend(boost::asio::io_context& io, std::string name, std::uint16_t port);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  void lose(Fault fault, int count);          // the next `count` requests; from any thread
  void fail_every(int nth) { every_ = nth; }  // 500 for each nth request; 0: none
  void listen(bool on);                       // off: connections are refused
  void execute_before_loss(bool on) { execute_first_ = on; }

  [[nodiscard]] int lost() const { return lost_; }
  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] std::string executions_json() const;

 private:
  using Socket = std::shared_ptr<boost::asio::ip::tcp::socket>;
  boost::asio::awaitable<void> accept(std::shared_ptr<boost::asio::ip::tcp::acceptor> acceptor);
  boost::asio::awaitable<void> serve(Socket socket);
  boost::asio::awaitable<void> echo(Socket socket, std::string head);
  boost::asio::awaitable<bool> answer(Socket socket, std::string head);
  void open();
  Fault next_fault();
  void executed(const std::string& id);

  boost::asio::io_context& io_;
  std::string name_;
  std::uint16_t port_;
  std::shared_ptr<boost::asio::ip::tcp::acceptor> acceptor_;
  std::vector<Socket> hung_;
  std::atomic<int> left_{0}, lost_{0}, requests_{0}, every_{0};
  std::atomic<Fault> fault_{Fault::none};
  std::atomic<bool> execute_first_{false};
  mutable std::mutex mutex_;
  std::map<std::string, int> executions_;
};

class Backends {
 public:
  explicit Backends(const std::vector<std::uint16_t>& ports);
  ~Backends();
  Backends(const Backends&) = delete;
  Backends& operator=(const Backends&) = delete;
  [[nodiscard]] Backend& at(std::size_t i) { return *all_.at(i); }
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::unique_ptr<Backend>> all_;
  std::thread thread_;
};

}  // namespace hitless::certify
