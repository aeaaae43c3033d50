// This machine: the session's sh is our own child.
#include "adapters/host/host.hpp"
#include "adapters/host/shell_host.hpp"
#include "base/names.hpp"

namespace hitless::host {
namespace {

class LocalHost final : public ShellHost {
 public:
  using ShellHost::ShellHost;
  Task<Result<std::string>> forward_unix(std::string path) override {
    const auto checked = check_absolute_path(path);
    if (!checked) co_return tl::unexpected(checked.error());
    co_return path;
  }
};

}  // namespace

std::unique_ptr<ports::Host> make_local_host(std::string name, std::string address, bool sudo) {
  SessionSettings settings;
  settings.name = std::move(name);
  settings.argv = {"/bin/sh"};
  std::vector<std::string> argv = settings.argv;
  return std::make_unique<LocalHost>(std::move(settings), std::move(argv), std::move(address),
                                     sudo);
}

}  // namespace hitless::host
