// For tests: real daemons under a systemctl of our own. It is a fake, because where these tests run
// there is no systemd: a script that knows one unit, starts and reloads it as a unit file would,
// and tells of it in systemd's words. The daemons are the real ones from Debian.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "adapters/service/services.hpp"
#include "adapters/service/test_host.hpp"

namespace hitless::service {

// One service with the files it needs, in a folder of its own that goes away with it.
class TestUnit {
 public:
  TestUnit();
  // sh that becomes the daemon (`exec …`), and sh of the unit's ExecReload; empty: it has none.
  void define(const std::string& start, const std::string& reload);
  void set_type(const std::string& type) { write_file(folder / "unit/type", type + "\n"); }
  // As Restart=always: a daemon that died is started again when somebody looks.
  void restart_always() { write_file(folder / "unit/always", ""); }
  // And waits until it runs, with workers when it has any; false: not within a minute.
  [[nodiscard]] bool start(bool has_workers);
  [[nodiscard]] std::int64_t pid() const;
  // Asked until it says yes, at most a minute.
  [[nodiscard]] static bool wait_until(const std::function<bool()>& holds);

  TestFolder folder;
  TestHost host;
  std::unique_ptr<ports::Service> service;

 private:
  void systemctl(const std::string& verb);
};

// A port that nobody had a moment ago.
[[nodiscard]] int free_port();
// Holds a port the way another program would, until it goes away.
class PortHolder {
 public:
  explicit PortHolder(int port);
  ~PortHolder();
  PortHolder(const PortHolder&) = delete;
  PortHolder& operator=(const PortHolder&) = delete;

 private:
  int socket_ = -1;
};

}  // namespace hitless::service
