// The commands that a driver runs as root on a host, as words and patterns: what a sudoers file has
// to allow, and no more. Plain values; nothing here runs or keeps anything.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hitless::ports {

struct CommandWord {
  enum class Kind {
    text,      // just this
    pattern,   // one word that matches an extended regular expression
    patterns,  // any number of such words, also none
  };
  std::string text;
  Kind kind = Kind::text;

  static CommandWord pattern(std::string regex) { return {std::move(regex), Kind::pattern}; }
  static CommandWord patterns(std::string regex) { return {std::move(regex), Kind::patterns}; }
};
using CommandWords = std::vector<CommandWord>;

struct PrivilegedCommands {
  std::vector<CommandWords> commands;    // Host::exec and Host::script with privileged
  std::vector<CommandWords> operations;  // Host::run_operation with privileged
  std::vector<std::string> readable;     // patterns of paths that Host::read_file is given
};

// Text that stands for itself in an extended regular expression of a sudoers file. Only its own
// marks get a backslash: \' and \< would mean something else. What sudoers cannot hold within one
// (line breaks, and what ends a word or starts a comment) is matched by any one character.
inline std::string sudoers_literal(std::string_view text) {
  constexpr std::string_view marks = ".[]{}()*+?^$|";
  constexpr std::string_view unwritable = "\n\\#,";
  std::string escaped;
  for (const char c : text) {
    if (marks.find(c) != std::string_view::npos) escaped += '\\';
    escaped += unwritable.find(c) != std::string_view::npos ? '.' : c;
  }
  return escaped;
}

}  // namespace hitless::ports
