// The sudoers text. Each line is one command that hitless puts behind `sudo -n --`, with its
// arguments matched as a whole (sudo 1.9.10 takes ^…$ as a regular expression), because the older
// wildcards also match spaces and slashes: `dd of=/etc/nginx/*` would allow any file.
#include <algorithm>

#include "adapters/host/host.hpp"
#include "adapters/host/operation_words.hpp"
#include "adapters/host/seal.hpp"
#include "base/names.hpp"
#include "base/text.hpp"

namespace hitless::host {
namespace {

using ports::CommandWord;
using ports::CommandWords;
using ports::sudoers_literal;

// A longer pattern passes visudo, but then never matches.
constexpr std::size_t max_pattern_bytes = 1024;
const std::string operation_id = "[A-Za-z0-9_][A-Za-z0-9._-]*";
const std::string operation_unit = "hitless-op-" + operation_id;

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// It is no regular expression: wildcards and separators in it would mean something.
bool is_program_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("/_-@.+").find(c) != std::string_view::npos;
}

// As ShellHost runs it.
CommandWords sealed(CommandWords words) {
  const bool script = words.size() >= 3 && words[0].text == "sh" && words[1].text == "-c" &&
                      words[2].kind == CommandWord::Kind::text;
  if (!script) return words;
  SealedScript seal = seal_script(words[2].text);
  words[2].text = std::move(seal.seal);
  if (words.size() == 3) words.push_back({"sh"});
  words.insert(words.begin() + 4, CommandWord::pattern("[A-Za-z0-9+/=]+"));
  return words;
}

std::string pattern_of(const CommandWords& words, std::size_t from, bool operation) {
  std::string pattern;
  for (std::size_t i = from; i < words.size(); ++i) {
    const CommandWord& word = words[i];
    const std::string blank = i == from ? "" : " ";
    if (word.kind == CommandWord::Kind::text) {
      // As run_operation gives it to systemd-run.
      pattern += blank + sudoers_literal(operation ? escape_dollars(word.text) : word.text);
    } else if (word.kind == CommandWord::Kind::pattern) {
      pattern += blank + word.text;
    } else {
      pattern += "(" + blank + word.text + ")*";
    }
  }
  return pattern;
}

Status check_words(const CommandWords& words) {
  if (words.empty()) return fail(ErrorCode::invalid, "an empty command for sudoers");
  const std::string& program = words[0].text;
  const bool fine = !program.empty() && program[0] != '-' &&
                    std::ranges::all_of(program, is_program_char) &&
                    words[0].kind == CommandWord::Kind::text;
  if (!fine) {
    return fail(ErrorCode::invalid, "a program for sudoers may hold [A-Za-z0-9/_.+@-] only",
                escape_for_terminal(program));
  }
  if (program.find('/') != std::string::npos) return check_absolute_path(program);
  return {};
}

// Where sudo's secure_path finds it; a line for each place.
std::vector<std::string> places_of(const std::string& program) {
  if (program.find('/') != std::string::npos) return {program};
  if (program == "sh") return {"/usr/bin/sh"};
  return {"/usr/local/sbin/" + program, "/usr/local/bin/" + program, "/usr/sbin/" + program,
          "/usr/bin/" + program};
}

class Lines {
 public:
  Lines(std::string user, std::vector<std::string> opening)
      : user_(std::move(user)), lines_(std::move(opening)) {}

  void add(const std::string& program, const std::string& arguments) {
    const std::string rule = user_ + " ALL=(root) NOPASSWD: " + program;
    const std::string line = rule + (arguments.empty() ? " \"\"" : " ^" + arguments + "$");
    const bool control = std::ranges::any_of(line, is_control);
    if (ok_ && (control || arguments.size() + 2 > max_pattern_bytes)) {
      ok_ = fail(ErrorCode::invalid,
                 control ? "a command for sudoers has a control character"
                         : "a command is too long for sudoers, which knows 1024 bytes of it",
                 escape_for_terminal(truncate_utf8(rule + " " + arguments, 200)),
                 "put it into a script on the host, and name that");
    }
    if (std::ranges::find(lines_, line) == lines_.end()) lines_.push_back(line);
  }
  void option(const std::string& word) { lines_.push_back("Defaults:" + user_ + " " + word); }
  [[nodiscard]] Result<std::vector<std::string>> take() {
    if (!ok_) return tl::unexpected(ok_.error());
    return std::move(lines_);
  }

 private:
  std::string user_;
  std::vector<std::string> lines_;
  Status ok_;
};

CommandWords text_words(const std::vector<std::string>& argv) {
  CommandWords words;
  for (const std::string& word : argv) words.push_back({word});
  return words;
}

// Each once for hosts with systemd and once for those without.
void add_operations(Lines& lines, const std::vector<CommandWords>& operations) {
  const std::string numbers = " [0-9]+ (-|[A-Za-z0-9_][A-Za-z0-9_.:-]*) [0-9]+ [0-9]+ ";
  for (const bool unit : {true, false}) {
    const std::string start = pattern_of(sealed(text_words(operation_start_words(unit))), 1, false);
    for (const CommandWords& words : operations) {
      lines.add("/usr/bin/sh", start + " " + (unit ? operation_unit : operation_id) + numbers +
                                   pattern_of(sealed(words), 0, unit));
    }
  }
  if (operations.empty()) return;
  for (const auto& script : {operation_wait_words(), operation_collect_words()}) {
    lines.add("/usr/bin/sh", pattern_of(sealed(text_words(script)), 1, false) + " " + operation_id);
  }
  lines.add("/usr/bin/systemctl", "(stop|reset-failed) " + operation_unit + "\\.service");
  lines.add("/usr/bin/rm",
            "-f -- /run/" + operation_unit + "\\.out /run/" + operation_unit + "\\.err");
}

void add_reading(Lines& lines, const std::string& file) {
  lines.add("/usr/bin/stat", "-L?c [%A-Za-z|:]+ -- " + file);
  lines.add("/usr/bin/head", "-c [0-9]+ -- " + file);
}

// The file, its backups, and the temporary file that is renamed to one of them.
void add_file(Lines& lines, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = sudoers_literal(path.substr(0, slash)) + "(/\\.hitless-backup)?";
  const std::string file =
      folder + "/" + sudoers_literal(path.substr(slash + 1)) + "(\\.backup-[A-Za-z0-9_-]+)?";
  const std::string temp = folder + "/\\.hitless-[0-9a-f]{16}";
  add_reading(lines, file);
  lines.add("/usr/bin/dd", "of=" + temp + " conv=excl,fsync bs=64k status=none");
  lines.add("/usr/bin/chown", "-- [0-9]+:[0-9]+ " + temp);
  lines.add("/usr/bin/chmod", "-- 0?[0-7]{3} " + temp);  // no set-user-id bits
  lines.add("/usr/bin/cp",
            "--no-dereference --attributes-only --preserve=all --no-preserve=timestamps -- " +
                file + " " + temp);
  lines.add("/usr/bin/sha256sum", "-- (" + temp + "|" + file + ")");
  lines.add("/usr/bin/mv", "-fT -- " + temp + " " + file);
  lines.add("/usr/bin/sync", "-- " + folder + "/");
  lines.add("/usr/bin/rm", "-f -- " + temp);
  lines.add("/usr/bin/rm", "-f -- " + sudoers_literal(path));  // a new one, when rolled back
}

Status check_needs(const SudoersNeeds& needs) {
  auto checked = check_user_name(needs.user);
  for (const auto& path : needs.config_files) {
    if (checked) checked = check_absolute_path(path);
  }
  for (const auto* list : {&needs.commands.commands, &needs.commands.operations}) {
    for (const auto& words : *list) {
      if (checked) checked = check_words(words);
    }
  }
  return checked;
}

}  // namespace

Result<std::vector<std::string>> sudoers_lines(const SudoersNeeds& needs) {
  const auto checked = check_needs(needs);
  if (!checked) return tl::unexpected(checked.error());
  Lines lines(
      needs.user,
      {
          "# /etc/sudoers.d/hitless: what hitless runs as root here. Needs sudo 1.9.10; install "
          "with visudo -f.",
          "# Print it again after each upgrade of hitless and each change of the fleet file.",
          "#",
          "# A line with a SHA-256 runs the one script that has it (sudo cannot compare long",
          "# scripts). The scripts that start operations could run anything; these patterns allow "
          "only",
          "# what is listed. Files that nginx includes from other folders than those below are "
          "refused.",
          "#",
          "# What this amounts to: who may write the configuration that a program starts or tests",
          "# with can in most cases become the user it runs as. For nginx (load_module, also in",
          "# a test), for an environment file or a unit of a root service that is root itself.",
          "# These lines keep out mistakes and other programs' rights, not a thief of this",
          "# account's key: guard that key as you guard root's.",
      });
  // Some distributions' default, and our connection has no terminal.
  lines.option("!requiretty");
  lines.add("/usr/bin/true", "");  // `hitless doctor` asks whether sudo works
  for (const CommandWords& words : needs.commands.commands) {
    const CommandWords run = sealed(words);
    for (const std::string& program : places_of(run[0].text)) {
      lines.add(program, pattern_of(run, 1, false));
    }
  }
  add_operations(lines, needs.commands.operations);
  for (const std::string& file : needs.commands.readable) add_reading(lines, file);
  for (const std::string& path : needs.config_files) add_file(lines, path);
  return lines.take();
}

}  // namespace hitless::host
