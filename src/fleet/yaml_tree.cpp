// The only file that includes yaml-cpp.
//
// Its traps (0.7): columns count bytes; a quoted scalar that never ends is taken when a line break
// follows; a stray ',' at the top makes endless empty documents; aliases are expanded by nobody but
// the reader. The handler below stops at the first of these.
#include "fleet/yaml_tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/text.hpp"
#include "fleet/format.hpp"

namespace hitless::fleet {
namespace {

// Leaves yaml-cpp's recursion; the diagnostic was made already.
struct Stop {};

std::size_t plain_length(std::string_view line, std::size_t column, const std::string& value) {
  const std::size_t first_line = std::min(value.size(), value.find('\n'));
  return std::min(first_line, line.size() - std::min(column, line.size()));
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const Source& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  [[nodiscard]] bool finished() const { return documents_ > 0 && !stopped_; }
  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    const std::string_view line = source_.line(mark.line + 1), before = source_.line(mark.line);
    if (line.substr(0, 3) == "---" || before.substr(0, 3) == "---")
      stop("HL0010", mark, 1, "a second YAML document starts here", "one document per file");
    stop("HL0005", mark, 1, "not YAML: text that belongs to nothing", "unexpected");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    Node node;
    node.span = source_.span_at(mark.line, mark.column, 1);
    add(mark, std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    stop("HL0008", mark, 1, "YAML aliases (`*name`) are not allowed", "write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    Node node;
    node.kind = Node::Kind::scalar;
    node.quoted = tag == "!";
    node.text = value;
    node.span = span_of_scalar(mark, node);
    add(mark, std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  [[noreturn]] void stop(const char* code, const YAML::Mark& mark, std::size_t length,
                         std::string message, std::string label) {
    stopped_ = true;
    diagnostics_.add(source_.error(code, source_.span_at(mark.line, mark.column, length),
                                   std::move(message), std::move(label)));
    throw Stop{};
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0)
      stop("HL0008", mark, 1, "YAML anchors (`&name`) are not allowed", "write the value out");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      stop("HL0008", mark, 1, "YAML tags (`!name`) are not allowed", "remove the tag");
  }

  // Finds the end of a quoted scalar in the source; yaml-cpp would take a missing one.
  Span span_of_scalar(const YAML::Mark& mark, const Node& node) {
    const std::string_view line = source_.line(mark.line + 1);
    const auto column = static_cast<std::size_t>(std::max(0, mark.column));
    const char first = column < line.size() ? line[column] : '\0';
    if (!node.quoted || (first != '"' && first != '\''))
      return source_.span_at(mark.line, mark.column, plain_length(line, column, node.text));
    const std::string& text = source_.text();
    const std::size_t start = static_cast<std::size_t>(line.data() - text.data()) + column;
    std::size_t at = start + 1;
    for (; at < text.size() && text[at] != first; ++at) {
      if (first == '"' && text[at] == '\\') ++at;
      if (first == '\'' && text.compare(at + 1, 2, "''") == 0) at += 2;
    }
    if (at >= text.size())
      stop("HL0005", mark, 1, "not YAML: this quote is never closed", "closing quote missing");
    return source_.span_at(mark.line, mark.column, at - start + 1);
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (stack_.size() >= YamlLimits::kMaxDepth)
      stop("HL0006", mark, 1, fmt::format("nested deeper than {} levels", YamlLimits::kMaxDepth),
           "too deep");
    count(mark);
    Node node;
    node.kind = kind;
    node.span = source_.span_at(mark.line, mark.column, 1);
    stack_.push_back(std::move(node));
  }
  void close() {
    Node node = std::move(stack_.back());
    stack_.pop_back();
    place(std::move(node));
  }
  void count(const YAML::Mark& mark) {
    if (++nodes_ > YamlLimits::kMaxNodes)
      stop("HL0007", mark, 1, fmt::format("more than {} values", YamlLimits::kMaxNodes),
           "stopped reading here");
  }
  void add(const YAML::Mark& mark, Node node) {
    count(mark);
    place(std::move(node));
  }
  void place(Node node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Node& parent = stack_.back();
    if (parent.kind == Node::Kind::map && parent.keys.size() == parent.items.size()) {
      parent.keys.push_back(std::move(node));
      return;
    }
    // What has no text of its own is shown at its key.
    if (parent.kind == Node::Kind::map && node.kind != Node::Kind::scalar)
      node.span = parent.keys.back().span;
    parent.items.push_back(std::move(node));
  }

  const Source& source_;
  Diagnostics& diagnostics_;
  Node root_;
  std::vector<Node> stack_;
  int nodes_ = 0;
  int documents_ = 0;
  bool stopped_ = false;
};

// yaml-cpp keeps its look-ahead in memory and may recurse before the handler hears of it, so runs
// of brackets are refused on sight. Quotes and comments are skipped roughly: too much is never
// counted by more than what an honest file holds.
bool brackets_are_shallow(const Source& source, Diagnostics& diagnostics) {
  constexpr int most = 4 * YamlLimits::kMaxDepth;
  int depth = 0;
  for (int number = 1; number <= source.line_count(); ++number) {
    const std::string_view line = source.line(number);
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (c == '#' && (i == 0 || line[i - 1] == ' ')) break;
      if (c == '[' || c == '{') ++depth;
      if ((c == ']' || c == '}') && depth > 0) --depth;
      if (depth <= most) continue;
      const Span span = source.span_at(number - 1, static_cast<int>(i), 1);
      diagnostics.add(source.error("HL0006", span, "too many brackets are opened and not closed",
                                   fmt::format("the {}th", most + 1)));
      return false;
    }
  }
  return true;
}

bool indented_by_tab(std::string_view line) {
  const std::size_t text = line.find_first_not_of(" \t");
  return text != std::string_view::npos &&
         line.substr(0, text).find('\t') != std::string_view::npos;
}

void report_syntax(const Source& source, const YAML::Mark& mark, const std::string& reason,
                   Diagnostics& diagnostics) {
  for (const int line0 : {mark.line, mark.line - 1}) {
    if (line0 < 0 || !indented_by_tab(source.line(line0 + 1))) continue;
    const auto tab = static_cast<int>(source.line(line0 + 1).find('\t'));
    Diagnostic d = source.error("HL0004", source.span_at(line0, tab, 1), "a tab in the indentation",
                                "use spaces");
    diagnostics.add(std::move(d));
    return;
  }
  Diagnostic d = source.error("HL0005", source.span_at(mark.line, mark.column, 1),
                              "not YAML: " + reason, "cannot be read from here");
  const std::string_view line = source.line(mark.line + 1);
  const std::string_view lead = trim(line);
  if (!lead.empty() && std::string_view("@`%").find(lead.front()) != std::string_view::npos)
    d.notes.emplace_back("a value that starts with @, ` or % needs quotes");
  else if (reason == "illegal map value")
    d.notes.emplace_back(
        "a value that contains `: ` needs quotes; or the line above is indented "
        "differently");
  else if (!placeholders_in(line).empty())
    d.notes.emplace_back("inside [ ] and { } a text with {…} needs quotes: [\"/etc/{host}.conf\"]");
  else if (reason.find("flow not found") != std::string::npos)
    d.notes.emplace_back("a `[` or `{` that was opened here is not closed");
  diagnostics.add(std::move(d));
}

bool is_blank(const Source& source) {
  for (int number = 1; number <= source.line_count(); ++number) {
    const std::string_view line = trim(source.line(number));
    if (!line.empty() && line.front() != '#' && line != "---" && line != "...") return false;
  }
  return true;
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].text == key && keys[i].kind == Kind::scalar) return &items[i];
  return nullptr;
}

const Node* Node::find_key(std::string_view key) const {
  for (const auto& candidate : keys)
    if (candidate.text == key && candidate.kind == Kind::scalar) return &candidate;
  return nullptr;
}

std::optional<Node> parse_yaml(const Source& source, Diagnostics& diagnostics) {
  if (is_blank(source)) {
    diagnostics.add(source.error("HL0009", Span{1, 1, 1}, source.name() + " is empty",
                                 "nothing but blank lines and comments"));
    return std::nullopt;
  }
  if (!brackets_are_shallow(source, diagnostics)) return std::nullopt;
  TreeBuilder builder(source, diagnostics);
  try {
    std::istringstream stream(source.text());
    YAML::Parser parser(stream);
    // A second round finds what follows the document; the builder stops there.
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
  } catch (const Stop&) {
    return std::nullopt;
  } catch (const YAML::Exception& e) {
    report_syntax(source, e.mark, e.msg, diagnostics);
    return std::nullopt;
  } catch (const std::exception& e) {
    diagnostics.add(source.error("HL0005", Span{1, 1, 1}, std::string("not YAML: ") + e.what()));
    return std::nullopt;
  }
  if (!builder.finished()) return std::nullopt;
  return builder.take_root();
}

}  // namespace hitless::fleet
