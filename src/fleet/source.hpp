// One text file that was read for the fleet: bounded, checked to be plain UTF-8 text, cut into
// lines, and able to make a Diagnostic about a place in itself. CRLF and a UTF-8 byte order mark
// are taken away on reading, so that every column is right.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/diagnostics.hpp"

namespace hitless::fleet {

class Source {
 public:
  static constexpr std::size_t kMaxBytes = 1024 * 1024;
  static constexpr std::size_t kLongestShownLine = 4096;  // longer ones are not quoted

  // Finds what is wrong with the bytes and says so; false when the text cannot be used.
  // shown: the name for messages, path: what to open.
  [[nodiscard]] static bool read(const std::string& path, const std::string& shown,
                                 Diagnostics& diagnostics, Source& out);
  [[nodiscard]] static bool from_text(std::string text, const std::string& shown,
                                      Diagnostics& diagnostics, Source& out);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string_view line(int number) const;  // from 1; without the line break
  [[nodiscard]] int line_count() const { return static_cast<int>(starts_.size()); }
  // Line from 0 and byte offset in it, as yaml-cpp counts, to a span in characters.
  [[nodiscard]] Span span_at(int line0, int byte_column, std::size_t bytes) const;

  [[nodiscard]] Diagnostic error(std::string code, Span at, std::string message,
                                 std::string label = {}) const;
  [[nodiscard]] Diagnostic warning(std::string code, Span at, std::string message,
                                   std::string label = {}) const;

 private:
  void index_lines();
  [[nodiscard]] bool check_bytes(Diagnostics& diagnostics) const;

  std::string name_, text_;
  std::vector<std::size_t> starts_;
  // Where span_at() counted last: files of one endless line would make it quadratic.
  mutable struct {
    int line = 0, characters = 0;
    std::size_t bytes = 0;
  } counted_;
};

}  // namespace hitless::fleet
