#include "adapters/aws/profile.hpp"

#include <fstream>

#include "base/text.hpp"

namespace hitless::aws {
namespace {

constexpr std::size_t kMaxFile = 1u << 20;

// A comment after a value needs a blank before it: keys may hold # and ;.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i)
    if ((text[i] == '#' || text[i] == ';') && (text[i - 1] == ' ' || text[i - 1] == '\t'))
      return trim(text.substr(0, i));
  return trim(text);
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in.is_open()) return std::string();
  std::string text(kMaxFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxFile) return fail(ErrorCode::invalid, "the file is too large", path);
  return text;
}

// "[profile x]", "[profile \"x y\"]" of the config file.
std::string unquoted(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && text.front() == text.back() &&
      (text.front() == '"' || text.front() == '\''))
    text = text.substr(1, text.size() - 2);
  return std::string(text);
}

}  // namespace

Result<Sections> parse_ini(std::string_view text, const std::string& file) {
  Sections sections;
  Section* section = nullptr;
  std::string parent;  // the key that an indented block belongs to
  int number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto bad = [&](const char* why) {
      return fail(ErrorCode::invalid, why, file + ":" + std::to_string(number),
                  "expected `[section]` or `key = value`");
    };
    const bool indented = raw.front() == ' ' || raw.front() == '\t';
    if (!indented && line.front() == '[') {
      const std::size_t end = line.find(']');
      if (end == std::string_view::npos) return bad("the section's `]` is missing");
      section = &sections[std::string(trim(line.substr(1, end - 1)))];
      parent.clear();
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || section == nullptr) return bad("this is no setting");
    const std::string key(trim(line.substr(0, equals)));
    const std::string value(without_comment(line.substr(equals + 1)));
    if (indented && !parent.empty()) {
      (*section)[parent + "." + key] = value;
    } else {
      (*section)[key] = value;
      parent = value.empty() ? key : "";
    }
  }
  return sections;
}

std::string Profile::value(const std::string& key) const {
  if (const auto it = config.find(key); it != config.end() && !it->second.empty())
    return it->second;
  const auto it = keys.find(key);
  return it == keys.end() ? std::string() : it->second;
}

Result<Files> Files::load(const Environment& env) {
  const std::string home = env("HOME").value_or("");
  const auto path_of = [&](const char* variable, const char* file) {
    std::string path = env(variable).value_or(home.empty() ? "" : home + "/.aws/" + file);
    if (path.starts_with("~/")) path = home + path.substr(1);
    return path;
  };
  Files files;
  for (auto [variable, name, to] :
       {std::tuple{"AWS_CONFIG_FILE", "config", &files.config_},
        std::tuple{"AWS_SHARED_CREDENTIALS_FILE", "credentials", &files.credentials_}}) {
    const std::string path = path_of(variable, name);
    if (path.empty()) continue;
    auto text = read_text(path);
    if (!text) return tl::unexpected(text.error());
    auto sections = parse_ini(*text, path);
    if (!sections) return tl::unexpected(sections.error());
    *to = std::move(*sections);
  }
  return files;
}

Profile Files::profile(const std::string& name) const {
  Profile profile;
  profile.name = name;
  for (const auto& [title, section] : config_) {
    const bool mine = title.starts_with("profile ") ? unquoted(title.substr(8)) == name
                                                    : title == "default" && name == "default";
    if (!mine) continue;
    profile.found = true;
    profile.config.insert(section.begin(), section.end());
  }
  if (const auto it = credentials_.find(name); it != credentials_.end()) {
    profile.found = true;
    profile.keys = it->second;
  }
  return profile;
}

std::vector<std::string> Files::profile_names() const {
  std::vector<std::string> names;
  for (const auto& [title, section] : config_)
    if (title == "default" || title.starts_with("profile "))
      names.push_back(title == "default" ? title : unquoted(title.substr(8)));
  for (const auto& [title, section] : credentials_) names.push_back(title);
  return names;
}

Section Files::services(const std::string& name) const {
  for (const auto& [title, section] : config_)
    if (title.starts_with("services ") && unquoted(title.substr(9)) == name) return section;
  return {};
}

Result<Profile> choose_profile(const Settings& settings, const Environment& env,
                               const Files& files) {
  std::string name = settings.profile;
  const bool named = !name.empty();
  if (name.empty()) name = env("AWS_PROFILE").value_or(env("AWS_DEFAULT_PROFILE").value_or(""));
  const bool asked = !name.empty();
  Profile profile = files.profile(asked ? name : "default");
  profile.named = named;
  if (asked && !profile.found && name != "default") {
    const std::string near = nearest(name, files.profile_names());
    return fail(ErrorCode::not_found,
                "there is no AWS profile " + escape_for_terminal(truncate_utf8(name, 80)),
                named ? "the fleet file" : "AWS_PROFILE",
                near.empty() ? "see ~/.aws/config and ~/.aws/credentials"
                             : "did you mean " + escape_for_terminal(near) + "?");
  }
  return profile;
}

}  // namespace hitless::aws
