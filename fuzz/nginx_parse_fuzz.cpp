// libFuzzer: any bytes as a configuration, before and after, of every kind. First byte: the kind.
#include <cstddef>
#include <cstdint>
#include <string>

#include "confdiff/config_diff.hpp"
#include "confdiff/nginx_rebase.hpp"
#include "confdiff/text_diff.hpp"

using namespace hitless::confdiff;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Kind kinds[] = {Kind::nginx,        Kind::haproxy,  Kind::apache, Kind::sshd,
                        Kind::systemd_unit, Kind::env_file, Kind::text};
  const Kind kind = kinds[data[0] % 7];
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // "\n---\n" cuts the input into before, after and an included file.
  const std::string cut = "\n---\n";
  std::string parts[3];
  std::size_t from = 0;
  for (int i = 0; i < 3; ++i) {
    const std::size_t end = i < 2 ? text.find(cut, from) : std::string::npos;
    parts[i] = text.substr(from, end == std::string::npos ? end : end - from);
    if (end == std::string::npos) break;
    from = end + cut.size();
  }
  const std::string main = "/etc/nginx/nginx.conf";
  const Files before = {{main, parts[0]}, {"/etc/nginx/conf.d/a.conf", parts[2]}};
  const Files after = {{main, parts[1]}, {"/etc/nginx/conf.d/a.conf", parts[2]}};
  const DiffResult result = diff_config(kind, before, after, main, Context{"/healthz", 80});
  if (result.changes.empty() != (before == after)) __builtin_trap();
  (void)render_changes(result.changes);
  (void)unified_diff(parts[0], parts[1], main);
  if (kind == Kind::nginx) {
    const Files there = rebase_nginx(before, main, "/etc/nginx", "/tmp/stage");
    if (there.size() != before.size()) __builtin_trap();
    (void)staging_needs(before, main);
  }
  return 0;
}
