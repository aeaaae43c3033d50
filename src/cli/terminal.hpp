// What one output stream can show: colour, UTF-8, width, whether a person watches. Meaning never
// depends on colour or glyph alone; without UTF-8 every glyph has an ASCII word.
#pragma once
#include <cstdio>
#include <string>
#include <string_view>

namespace hitless::cli {

enum class ColorWish { automatic, always, never };
enum class Ink { plain, good, bad, warn, dim, bold };

struct Terminal {
  bool is_tty = false;
  bool color = false;
  bool utf8 = true;
  int width = 80, height = 24;

  [[nodiscard]] std::string paint(Ink ink, std::string_view text) const;
  [[nodiscard]] std::string_view tick() const { return utf8 ? "✓" : "ok"; }
  [[nodiscard]] std::string_view cross() const { return utf8 ? "✗" : "FAILED"; }
  [[nodiscard]] std::string_view warning() const { return utf8 ? "⚠" : "warning:"; }
  [[nodiscard]] std::string_view question() const { return utf8 ? "?" : "unknown:"; }
  // Arrows and dashes of our own messages for terminals that cannot show them.
  [[nodiscard]] std::string plain(std::string_view text) const;
};

// --color/--no-color > NO_COLOR > CLICOLOR_FORCE > TERM=dumb > isatty of that stream.
[[nodiscard]] Terminal terminal_of(std::FILE* stream, ColorWish wish);

}  // namespace hitless::cli
