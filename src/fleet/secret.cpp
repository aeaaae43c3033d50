#include "fleet/secret.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/read_file.hpp"

namespace hitless::fleet {
namespace {

constexpr std::size_t kLargestSecret = 64 * 1024;

bool is_variable_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name)
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
      return false;
  return true;
}

tl::unexpected<Error> bad_reference(std::string_view why) {
  return fail(ErrorCode::invalid, fmt::format("not a secret reference: {}", why), {},
              "write ${env:NAME}, ${file:/absolute/path} or ${cred:NAME} as the whole value");
}

Result<std::string> from_file(const std::string& path, const std::string& shown) {
  auto content = read_small_file(path, kLargestSecret);
  if (!content)
    return fail(content.error().code, shown + ": " + content.error().what, path,
                content.error().help);
  if (!content->empty() && content->back() == '\n') content->pop_back();
  if (!content->empty() && content->back() == '\r') content->pop_back();
  if (content->empty()) return fail(ErrorCode::invalid, shown + " is empty", path);
  return content;
}

}  // namespace

Result<Secret> Secret::parse(std::string_view text) {
  if (text.empty()) return bad_reference("it is empty");
  const std::size_t open = text.find("${");
  if (open == std::string_view::npos) return Secret(Source::literal, std::string(text));
  if (open != 0 || text.find('}') != text.size() - 1)
    return bad_reference("a reference cannot be mixed with other text");
  const std::string_view body = text.substr(2, text.size() - 3);
  const std::size_t colon = body.find(':');
  const std::string_view kind = body.substr(0, colon);
  const std::string_view name =
      colon == std::string_view::npos ? std::string_view() : body.substr(colon + 1);
  if (kind == "env") {
    if (!is_variable_name(name)) return bad_reference("that is not a variable's name");
    return Secret(Source::env, std::string(name));
  }
  if (kind == "file") {
    if (auto ok = check_absolute_path(name); !ok) return bad_reference(ok.error().what);
    return Secret(Source::file, std::string(name));
  }
  if (kind == "cred") {
    // The same grammar as host names: one path component that is not hidden.
    if (!check_host_name(name)) return bad_reference("that is not a credential's name");
    return Secret(Source::credential, std::string(name));
  }
  return bad_reference(
      fmt::format("`{}` is none of env, file, cred", escape_for_terminal(truncate_utf8(kind, 40))));
}

std::string Secret::describe() const {
  switch (source_) {
    case Source::none:
      return "none";
    case Source::literal:
      return "a literal value";
    case Source::env:
      return "${env:" + text_ + "}";
    case Source::file:
      return "${file:" + text_ + "}";
    case Source::credential:
      return "${cred:" + text_ + "}";
  }
  return "none";
}

Result<std::string> Secret::reveal() const {
  switch (source_) {
    case Source::none:
      return fail(ErrorCode::not_found, "no secret was given");
    case Source::literal:
      return text_;
    case Source::file:
      return from_file(text_, describe());
    case Source::env: {
      const char* value = std::getenv(text_.c_str());
      if (value == nullptr)
        return fail(ErrorCode::not_found, describe() + " is not set", {}, "export " + text_);
      if (*value == '\0') return fail(ErrorCode::invalid, describe() + " is empty");
      if (std::strlen(value) > kLargestSecret)
        return fail(ErrorCode::invalid, describe() + " is larger than 64 KiB");
      return std::string(value);
    }
    case Source::credential: {
      const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
      if (folder == nullptr || *folder != '/')
        return fail(ErrorCode::not_found, describe() + ": $CREDENTIALS_DIRECTORY is not set", {},
                    "run under systemd with LoadCredential=" + text_ + ":…");
      return from_file(std::string(folder) + "/" + text_, describe());
    }
  }
  return fail(ErrorCode::internal, "unknown kind of secret");
}

}  // namespace hitless::fleet
