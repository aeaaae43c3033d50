#include "adapters/traffic/nginx_upstream.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "confdiff/nginx_lexer.hpp"

namespace hitless::traffic {
namespace {

using confdiff::StatementEnd;
using core::AdminState;

constexpr std::string_view kDown = " down";
constexpr std::string_view kMark = " # drained by hitless";
// Behind it a line break of ours, because more stood on that line.
constexpr std::string_view kMarkAndBreak = " # drained by hitless (and this line break)\n";

struct Line {  // one `server …;`
  std::string server;
  bool down = false;
  std::size_t down_begin = 0, down_end = 0;  // the word
  std::size_t last_word_end = 0;             // our ` down` comes here
  std::size_t semicolon = 0;                 // its offset
};

std::string shown(std::string_view text) {
  return escape_for_terminal(truncate_utf8(text, 80));
}

Result<std::vector<Line>> lines_of(std::string_view text, std::string_view upstream) {
  confdiff::NginxLexer lexer(text);
  std::vector<Line> lines;
  std::vector<bool> wanted;  // of each open block: is it our upstream?
  bool found = false;
  for (;;) {
    auto statement = lexer.next();
    if (!statement)
      return fail(ErrorCode::invalid, "line " + std::to_string(statement.error().position.line) +
                                          ": " + shown(statement.error().what));
    const auto& words = statement->words;
    if (statement->end == StatementEnd::end_of_file) break;
    if (statement->end == StatementEnd::close) {
      if (!wanted.empty()) wanted.pop_back();
    } else if (statement->end == StatementEnd::open) {
      const bool is_lua = words.front().text.ends_with("_by_lua_block");
      if (is_lua) {
        if (!lexer.read_lua_body()) return fail(ErrorCode::invalid, "a Lua block does not end");
        continue;
      }
      wanted.push_back(words.size() == 2 && words[0].text == "upstream" &&
                       words[1].text == upstream);
      if (wanted.back() && found)
        return fail(ErrorCode::invalid, "upstream " + shown(upstream) + " is there twice");
      found = found || wanted.back();
    } else if (!wanted.empty() && wanted.back() && words.size() >= 2 && words[0].text == "server") {
      const auto down = std::find_if(words.begin() + 2, words.end(),
                                     [](const auto& word) { return word.text == "down"; });
      Line line{words[1].text,    down != words.end(),           0, 0,
                words.back().end, statement->end_position.offset};
      if (line.down) {
        line.down_begin = down->begin.offset;
        line.down_end = down->end;
      }
      lines.push_back(std::move(line));
    }
  }
  if (found) return lines;
  return fail(ErrorCode::not_found, "it has no upstream " + shown(upstream));
}

Result<Line> line_of(std::string_view text, std::string_view upstream, std::string_view server) {
  auto lines = lines_of(text, upstream);
  if (!lines) return tl::unexpected(lines.error());
  const auto count = std::ranges::count(*lines, server, &Line::server);
  if (count == 1) return *std::ranges::find(*lines, server, &Line::server);
  if (count > 1)
    return fail(ErrorCode::invalid,
                "upstream " + shown(upstream) + " has server " + shown(server) + " twice");
  std::vector<std::string> known;
  for (const Line& line : *lines) known.push_back(line.server);
  const std::string near = nearest(server, known);
  return fail(
      ErrorCode::not_found, "upstream " + shown(upstream) + " has no server " + shown(server), {},
      near.empty() ? "write it as it is written there" : "did you mean " + shown(near) + "?");
}

bool ours(std::string_view text, const Line& line) {
  return text.substr(line.semicolon + 1).starts_with(kMark);
}

}  // namespace

Result<UpstreamServer> find_server(std::string_view text, std::string_view upstream,
                                   std::string_view server) {
  auto line = line_of(text, upstream, server);
  if (!line) return tl::unexpected(line.error());
  if (!line->down) return UpstreamServer{AdminState::ready};
  return UpstreamServer{ours(text, *line) ? AdminState::drain : AdminState::maint};
}

Result<std::string> take_down(std::string_view text, std::string_view upstream,
                              std::string_view server) {
  auto line = line_of(text, upstream, server);
  if (!line) return tl::unexpected(line.error());
  std::string out(text);
  if (line->down) return out;
  const std::size_t behind = line->semicolon + 1;
  const std::size_t end = std::min(text.find('\n', behind), text.size());
  const bool alone = trim(text.substr(behind, end - behind)).empty();
  // A mark of an earlier drain that somebody undid by hand.
  if (!ours(text, *line)) out.insert(behind, alone ? kMark : kMarkAndBreak);
  out.insert(line->last_word_end, kDown);
  return out;
}

Result<std::string> put_up(std::string_view text, std::string_view upstream,
                           std::string_view server) {
  auto line = line_of(text, upstream, server);
  if (!line) return tl::unexpected(line.error());
  std::string out(text);
  if (!line->down) return out;
  if (!ours(text, *line))
    return fail(ErrorCode::refused,
                shown(server) + " is not ours to put back: its `down` has no mark of hitless", {},
                "whoever took it out must put it back");
  const std::size_t behind = line->semicolon + 1;
  const bool with_break = text.substr(behind).starts_with(kMarkAndBreak);
  out.erase(behind, with_break ? kMarkAndBreak.size() : kMark.size());
  const std::size_t blank = out[line->down_begin - 1] == ' ' ? 1 : 0;  // ours came with it
  out.erase(line->down_begin - blank, line->down_end - line->down_begin + blank);
  return out;
}

Result<int> servers_up(std::string_view text, std::string_view upstream) {
  auto lines = lines_of(text, upstream);
  if (!lines) return tl::unexpected(lines.error());
  return static_cast<int>(std::ranges::count(*lines, false, &Line::down));
}

}  // namespace hitless::traffic
