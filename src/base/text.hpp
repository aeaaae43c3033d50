// Text that came from outside is hostile: these make it safe for each sink before it goes there.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hitless {

// C0, C1, DEL, bidi controls and broken UTF-8 become visible escapes (\x1b, \u202e); newlines
// and tabs too unless keep_newlines. For terminals, logs and anything a person reads.
[[nodiscard]] std::string escape_for_terminal(std::string_view text, bool keep_newlines = false);
// &, <, >, ", ' for HTML text and attributes.
[[nodiscard]] std::string escape_for_html(std::string_view text);
// One word for a POSIX shell: single quotes, always quoted.
[[nodiscard]] std::string quote_for_sh(std::string_view word);
// argv as one line for sh, each word quoted.
[[nodiscard]] std::string quote_for_sh(const std::vector<std::string>& argv);
// At most max_bytes, cut on a UTF-8 boundary, with "…" when something was cut.
[[nodiscard]] std::string truncate_utf8(std::string_view text, std::size_t max_bytes);
// Columns a terminal uses for it (code points; wide ones count 2).
[[nodiscard]] std::size_t display_width(std::string_view text);
// Replaces what looks like a secret (password=…, Authorization: …, token in a URL, private keys) by
// [redacted]. Applied before anything from a host is stored, shown or sent.
[[nodiscard]] std::string redact(std::string_view text);
// The candidate nearest to word by edit distance, empty when none is near enough to suggest.
[[nodiscard]] std::string nearest(std::string_view word,
                                  const std::vector<std::string>& candidates);

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace hitless
