#include "cli/terminal.hpp"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <clocale>
#include <cstdlib>
#include <utility>

namespace hitless::cli {
namespace {

bool set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool wants_color(bool is_tty, ColorWish wish) {
  if (wish != ColorWish::automatic) return wish == ColorWish::always;
  if (set("NO_COLOR")) return false;
  if (set("CLICOLOR_FORCE") && std::string_view(std::getenv("CLICOLOR_FORCE")) != "0") return true;
  const char* term = std::getenv("TERM");
  if (term == nullptr || std::string_view(term) == "dumb") return false;
  return is_tty;
}

bool is_utf8() {
  std::setlocale(LC_CTYPE, "");
  const std::string_view codeset = nl_langinfo(CODESET);
  // A container without any locale set still shows UTF-8 in every terminal of today; only a locale
  // that was asked for and is not UTF-8 is believed.
  const bool asked = set("LC_ALL") || set("LC_CTYPE") || set("LANG");
  return codeset == "UTF-8" || !asked;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kAscii{{
    {"→", "->"},
    {"✓", "ok"},
    {"✗", "FAILED"},
    {"✔", "ok"},
    {"✖", "FAILED"},
    {"⚠", "!"},
    {"−", "-"},
    {"·", "."},
    {"…", "..."},
    {"├─", "|-"},
    {"└─", "`-"},
    {"◐", "*"},
    {"⊘", "-"},
    {"│", "|"},
    {"–", "-"},
}};

}  // namespace

std::string Terminal::paint(Ink ink, std::string_view text) const {
  if (!color || ink == Ink::plain) return std::string(text);
  const char* code = "0";
  switch (ink) {
    case Ink::plain:
      break;
    case Ink::good:
      code = "32";
      break;
    case Ink::bad:
      code = "31;1";
      break;
    case Ink::warn:
      code = "33";
      break;
    case Ink::dim:
      code = "2";
      break;
    case Ink::bold:
      code = "1";
      break;
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string Terminal::plain(std::string_view text) const {
  std::string out(text);
  if (utf8) return out;
  for (const auto& [from, to] : kAscii) {
    for (std::size_t at = out.find(from); at != std::string::npos;
         at = out.find(from, at + to.size())) {
      out.replace(at, from.size(), to);
    }
  }
  return out;
}

Terminal terminal_of(std::FILE* stream, ColorWish wish) {
  Terminal terminal;
  const int fd = stream == stdout ? STDOUT_FILENO : STDERR_FILENO;  // see streams.hpp
  terminal.is_tty = isatty(fd) == 1;
  terminal.color = wants_color(terminal.is_tty, wish);
  terminal.utf8 = is_utf8();
  winsize size{};
  if (terminal.is_tty && ioctl(fd, TIOCGWINSZ, &size) == 0) {
    if (size.ws_col >= 20) terminal.width = size.ws_col;
    if (size.ws_row >= 8) terminal.height = size.ws_row;
  }
  return terminal;
}

}  // namespace hitless::cli
