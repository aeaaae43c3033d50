// The sudoers text. Each line is one command that the scripts in this folder put behind `sudo -n
// --`, with its arguments matched as a whole (sudo 1.9.10 takes ^…$ as a regular expression),
// because the older wildcards also match spaces and slashes: `dd of=/etc/nginx/*` would allow any
// file.
#include "adapters/host/host.hpp"
#include "adapters/host/operation_words.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless::host {
namespace {

const std::string operation_unit = "hitless-op-[A-Za-z0-9_][A-Za-z0-9._-]*";
const std::string path_part = "[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*";  // never ".."

bool is_plain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '/' ||
         c == '_' || c == '-' || c == ' ' || c == '@';
}

// Text that stands for itself in an extended regular expression. Only its own marks get a
// backslash: \' and \< would mean something else. What sudoers cannot hold within one (line breaks,
// and what ends a word or starts a comment) is matched by any one character.
std::string literal(std::string_view text) {
  constexpr std::string_view marks = ".[]{}()*+?^$|";
  constexpr std::string_view unwritable = "\n\\#,";
  std::string escaped;
  for (const char c : text) {
    if (marks.find(c) != std::string_view::npos) escaped += '\\';
    escaped += unwritable.find(c) != std::string_view::npos ? '.' : c;
  }
  return escaped;
}

// As run_operation gives it to systemd-run.
std::string operation_pattern(const std::vector<std::string>& argv) {
  std::vector<std::string> words;
  for (const auto& word : argv) {
    const bool any = word == SudoersNeeds::any_word;
    words.push_back(any ? "[A-Za-z0-9_.@:-]*" : literal(escape_dollars(word)));
  }
  return join(words, " ");
}

std::string file_below(const std::string& folder) {
  return literal(folder) + "(/" + path_part + ")+";
}

std::string temp_below(const std::string& folder) {
  return literal(folder) + "(/" + path_part + ")*/\\.hitless-[0-9a-f]{16}";
}

// An operation's script may have line breaks, and its program is found by systemd-run in root's
// PATH.
Status check_argv(const std::vector<std::string>& argv, bool operation) {
  if (argv.empty()) return fail(ErrorCode::invalid, "an empty command for sudoers");
  auto checked = operation ? Status{} : check_absolute_path(argv[0]);
  for (const auto& word : argv) {
    const bool control = std::ranges::any_of(word, [&](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && !(operation && c == '\n')) || c == 0x7f;
    });
    if (checked && control) {
      checked = fail(ErrorCode::invalid, "a command for sudoers has a control character",
                     escape_for_terminal(argv[0]));
    }
  }
  // The path itself is no regular expression: wildcards and separators in it would mean something.
  const auto is_path_char = [](char c) { return is_plain(c) || c == '.' || c == '+'; };
  if (checked && !operation && !std::ranges::all_of(argv[0], is_path_char)) {
    checked =
        fail(ErrorCode::invalid, "a program's path for sudoers may hold [A-Za-z0-9/_.+@-] only",
             escape_for_terminal(argv[0]));
  }
  return checked;
}

Status check_needs(const SudoersNeeds& needs) {
  auto checked = check_user_name(needs.user);
  for (const auto& unit : needs.units) {
    if (checked) checked = check_unit_name(unit);
  }
  for (const auto& folder : needs.config_dirs) {
    if (checked) checked = check_absolute_path(folder);
  }
  for (const auto& argv : needs.argvs) {
    if (checked) checked = check_argv(argv, false);
  }
  for (const auto& argv : needs.operations) {
    if (checked) checked = check_argv(argv, true);
  }
  return checked;
}

std::string line(const std::string& user, const std::string& program,
                 const std::string& arguments) {
  const std::string rule = user + " ALL=(root) NOPASSWD: " + program;
  return arguments.empty() ? rule + " \"\"" : rule + " ^" + arguments + "$";
}

void add_operations(std::vector<std::string>& lines, const SudoersNeeds& needs) {
  const std::string start =
      "--unit=" + operation_unit +
      " -p Type=oneshot -p RemainAfterExit=yes -p KillMode=process -p TimeoutStartSec=[0-9]+"
      " -p StandardOutput=file:/run/" +
      operation_unit + "\\.out -p StandardError=file:/run/" + operation_unit +
      "\\.err --no-ask-password --quiet --no-block -- ";
  for (const auto& unit : needs.units) {
    lines.push_back(
        line(needs.user, "/usr/bin/systemd-run",
             start + "(/usr/bin/)?systemctl (restart|reload|start|stop) " + literal(unit)));
  }
  for (const auto& argv : needs.operations) {
    lines.push_back(line(needs.user, "/usr/bin/systemd-run", start + operation_pattern(argv)));
  }
  if (needs.units.empty() && needs.operations.empty()) return;
  const std::string unit = operation_unit + "\\.service";
  lines.push_back(line(needs.user, "/usr/bin/systemctl", "(stop|reset-failed) " + unit));
  lines.push_back(
      line(needs.user, "/usr/bin/rm",
           "-f -- /run/" + operation_unit + "\\.out /run/" + operation_unit + "\\.err"));
}

void add_files(std::vector<std::string>& lines, const std::string& user,
               const std::string& folder) {
  const std::string file = file_below(folder);
  const std::string temp = temp_below(folder);
  const std::string either = "(" + file + "|" + temp + ")";
  lines.push_back(line(user, "/usr/bin/stat", "-L?c [%A-Za-z|:]+ -- " + file));
  lines.push_back(line(user, "/usr/bin/head", "-c [0-9]+ -- " + file));
  lines.push_back(line(user, "/usr/bin/dd", "of=" + temp + " conv=excl,fsync bs=64k status=none"));
  lines.push_back(line(user, "/usr/bin/chown", "-- [0-9]+:[0-9]+ " + temp));
  lines.push_back(line(user, "/usr/bin/chmod", "-- 0?[0-7]{3} " + temp));  // no set-user-id bits
  lines.push_back(line(user, "/usr/bin/sha256sum", "-- " + either));
  lines.push_back(line(user, "/usr/bin/mv", "-fT -- " + temp + " " + file));
  lines.push_back(line(user, "/usr/bin/sync", "-- " + literal(folder) + "(/" + path_part + ")*/"));
  lines.push_back(line(user, "/usr/bin/rm", "-f -- " + temp));
}

}  // namespace

Result<std::vector<std::string>> sudoers_lines(const SudoersNeeds& needs) {
  const auto checked = check_needs(needs);
  if (!checked) return tl::unexpected(checked.error());
  std::vector<std::string> lines = {
      "# /etc/sudoers.d/hitless: what hitless runs as root here. Install with visudo -f; needs "
      "sudo 1.9.10.",
      "# systemd-run could run anything as root; the patterns allow these commands and no others.",
      "# Who may write a service's configuration can in most cases become the user that reads it,",
      "# which for nginx, HAProxy and systemd units is root: give this account to nobody else.",
  };
  add_operations(lines, needs);
  for (const auto& argv : needs.argvs) {
    const std::vector<std::string> arguments(argv.begin() + 1, argv.end());
    lines.push_back(line(needs.user, argv[0], literal(join(arguments, " "))));
  }
  for (const auto& folder : needs.config_dirs) add_files(lines, needs.user, folder);
  return lines;
}

}  // namespace hitless::host
