// The differ of each kind, for diff_config alone; and what they share.
#pragma once
#include <string>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

// Fill changes, before_error and after_error; not the summary.
[[nodiscard]] DiffResult diff_nginx(const Files& before, const Files& after,
                                    const std::string& main_path, const Context& context);
[[nodiscard]] DiffResult diff_haproxy(const Files& before, const Files& after,
                                      const std::string& main_path, const Context& context);
[[nodiscard]] DiffResult diff_apache(const Files& before, const Files& after,
                                     const std::string& main_path, const Context& context);
[[nodiscard]] DiffResult diff_sshd(const Files& before, const Files& after,
                                   const std::string& main_path, const Context& context);
[[nodiscard]] DiffResult diff_systemd_unit(const Files& before, const Files& after,
                                           const std::string& main_path, const Context& context);
[[nodiscard]] DiffResult diff_env_files(const Files& before, const Files& after);
[[nodiscard]] DiffResult diff_text_files(const Files& before, const Files& after);

// The entry for a configuration that does not parse.
[[nodiscard]] Change broken_before(const ParseError& error);
[[nodiscard]] Change broken_after(const ParseError& error);
// When nothing changed in meaning: an entry of class none for each file whose text differs.
void add_layout_changes(const Files& before, const Files& after, DiffResult& result);
// Calls visit(path, old content or nullptr, new content or nullptr) for each file that differs.
template <class Visit>
void for_each_changed_file(const Files& before, const Files& after, Visit visit) {
  for (const auto& [path, content] : after) {
    const auto old_one = before.find(path);
    if (old_one == before.end())
      visit(path, nullptr, &content);
    else if (old_one->second != content)
      visit(path, &old_one->second, &content);
  }
  for (const auto& [path, content] : before) {
    if (!after.contains(path)) visit(path, &content, nullptr);
  }
}

}  // namespace hitless::confdiff
