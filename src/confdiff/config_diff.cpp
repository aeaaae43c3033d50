#include "confdiff/config_diff.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "confdiff/glob.hpp"
#include "confdiff/parts.hpp"

namespace hitless::confdiff {

DiffResult diff_config(Kind kind, const Files& before, const Files& after,
                       const std::string& main_path, const Context& context) {
  DiffResult result;
  if (before == after) {
    result.summary = summarize({});
    return result;
  }
  switch (kind) {
    case Kind::nginx:
      result = diff_nginx(before, after, main_path, context);
      break;
    case Kind::haproxy:
      result = diff_haproxy(before, after, main_path, context);
      break;
    case Kind::apache:
      result = diff_apache(before, after, main_path, context);
      break;
    case Kind::sshd:
      result = diff_sshd(before, after, main_path, context);
      break;
    case Kind::systemd_unit:
      result = diff_systemd_unit(before, after, main_path, context);
      break;
    case Kind::env_file:
      result = diff_env_files(before, after);
      break;
    case Kind::text:
      result = diff_text_files(before, after);
      break;
  }
  result.summary = summarize(result.changes);
  return result;
}

Kind guess_kind(std::string_view path) {
  const std::string name = base_name(path);
  if (name == "nginx.conf" || path.find("/nginx/") != std::string_view::npos) return Kind::nginx;
  const bool haproxy_folder = path.find("/haproxy/") != std::string_view::npos;
  if (name.ends_with(".cfg") && (haproxy_folder || name.starts_with("haproxy")))
    return Kind::haproxy;
  for (const std::string_view folder : {"/apache2/", "/httpd/"}) {
    if (path.find(folder) != std::string_view::npos && name.ends_with(".conf")) return Kind::apache;
  }
  if (name == "sshd_config" || path.find("/sshd_config.d/") != std::string_view::npos)
    return Kind::sshd;
  for (const std::string_view type : {".service", ".socket", ".timer", ".target", ".path", ".mount",
                                      ".slice", ".automount", ".swap"}) {
    if (name.ends_with(type)) return Kind::systemd_unit;
    if (name.ends_with(".conf") && path.find(std::string(type) + ".d/") != std::string_view::npos)
      return Kind::systemd_unit;
  }
  const bool env_folder = path.starts_with("/etc/default/") || path.starts_with("/etc/sysconfig/");
  if (env_folder || name.ends_with(".env") || name.starts_with(".env") || name == "environment") {
    return Kind::env_file;
  }
  return Kind::text;
}

std::string config_digest(const Files& files) {
  std::string all;
  for (const auto& [path, content] : files) {
    all += fmt::format("{}:{}{}:{}", path.size(), path, content.size(), sha256_hex(content));
  }
  return sha256_hex(all);
}

}  // namespace hitless::confdiff
