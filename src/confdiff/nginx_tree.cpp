#include "confdiff/nginx_tree.hpp"

#include "base/text.hpp"
#include "confdiff/glob.hpp"
#include "confdiff/nginx_lexer.hpp"

namespace hitless::confdiff {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

struct Place {
  int file = 0, line = 1, column = 1;
};

// Carries the parse; fails by throwing nothing: each step returns false once error_ is set.
class Parser {
 public:
  Parser(const Files& files, const NginxLimits& limits) : files_(files), limits_(limits) {}

  NginxParse run(const std::string& main_path) {
    folder_ = folder_of(main_path);
    const Place start{index_of(main_path), 1, 1};
    if (!files_.contains(main_path)) {
      set_error("the main configuration file is not among the files", start);
    } else {
      parse_file(main_path, start, result_.tree.root, 0);
    }
    return std::move(result_);
  }

 private:
  int index_of(const std::string& path) {
    const auto [found, is_new] = indexes_.try_emplace(path, static_cast<int>(indexes_.size()));
    if (is_new) result_.tree.files.push_back(path);
    return found->second;
  }

  bool set_error(std::string what, Place place) {
    if (result_.error) return false;
    ParseError error;
    error.what = std::move(what);
    error.file = result_.tree.files[static_cast<std::size_t>(place.file)];
    error.line = place.line;
    error.column = place.column;
    if (const auto found = files_.find(error.file); found != files_.end()) {
      error.excerpt = excerpt_of(found->second, place.line, place.column);
    }
    result_.error = std::move(error);
    return false;
  }

  bool set_error(const LexError& error, int file) {
    return set_error(error.what, {file, error.position.line, error.position.column});
  }

  // from: the include directive, for errors about the file as a whole.
  bool parse_file(const std::string& path, Place from, std::vector<NginxNode>& out, int depth) {
    const std::string& content = files_.at(path);
    const int file = index_of(path);
    if (content.size() > limits_.max_file_bytes)
      return set_error("file is too large", {file, 1, 1});
    total_bytes_ += content.size();
    if (total_bytes_ > limits_.max_total_bytes) {
      return set_error("the included files together are too large", from);
    }
    if (content.starts_with("\xEF\xBB\xBF")) {
      return set_error("the file starts with a byte order mark, which nginx takes for a directive",
                       {file, 1, 1});
    }
    open_files_.push_back(path);
    NginxLexer lexer(content);
    const bool good = parse_statements(lexer, file, out, depth, nullptr);
    open_files_.pop_back();
    return good;
  }

  // Statements up to the end of the file (opened == nullptr) or of the block that was opened there.
  bool parse_statements(NginxLexer& lexer, int file, std::vector<NginxNode>& out, int depth,
                        const NginxNode* opened) {
    for (;;) {
      auto statement = lexer.next();
      if (!statement) return set_error(statement.error(), file);
      const Place end{file, statement->end_position.line, statement->end_position.column};
      if (statement->end == StatementEnd::end_of_file) {
        if (opened == nullptr) return true;
        return set_error("unexpected end of file, expecting \"}\" for \"" + opened->name +
                             "\" of line " + std::to_string(opened->line),
                         end);
      }
      if (statement->end == StatementEnd::close) {
        return opened != nullptr || set_error("unexpected \"}\"", end);
      }
      if (!take_statement(lexer, *statement, file, out, depth)) return false;
    }
  }

  bool take_statement(NginxLexer& lexer, NginxStatement& statement, int file,
                      std::vector<NginxNode>& out, int depth) {
    NginxNode node;
    node.name = std::move(statement.words[0].text);
    node.file = file;
    node.line = statement.words[0].begin.line;
    node.column = statement.words[0].begin.column;
    const Place place{file, node.line, node.column};
    if (node.name == "include") return take_include(statement, place, out, depth);
    if (++nodes_ > limits_.max_nodes) return set_error("too many directives", place);
    for (std::size_t i = 1; i < statement.words.size(); ++i) {
      node.args.push_back(std::move(statement.words[i].text));
    }
    node.has_block = statement.end == StatementEnd::open;
    if (node.has_block && ends_with(node.name, "_by_lua_block")) {
      auto body = lexer.read_lua_body();
      if (!body) return set_error(body.error(), file);
      node.raw = std::move(*body);
    } else if (node.has_block) {
      if (depth >= limits_.max_block_depth) return set_error("blocks are nested too deeply", place);
      if (!parse_statements(lexer, file, node.block, depth + 1, &node)) return false;
    }
    out.push_back(std::move(node));
    return true;
  }

  bool take_include(const NginxStatement& statement, Place place, std::vector<NginxNode>& out,
                    int depth) {
    if (statement.end == StatementEnd::open) {
      return set_error("directive \"include\" is not terminated by \";\"", place);
    }
    if (statement.words.size() != 2) {
      return set_error("invalid number of arguments in \"include\" directive", place);
    }
    if (result_.tree.includes.size() >= limits_.max_includes) {
      return set_error("too many includes", place);
    }
    const NginxWord& word = statement.words[1];
    NginxInclude include;
    include.written = word.text;
    include.pattern = absolute_path(word.text, folder_);
    include.file = place.file;
    include.line = word.begin.line;
    include.column = word.begin.column;
    include.begin = word.begin.offset;
    include.end = word.end;
    if (!find_files(include, place)) return false;
    const std::vector<std::string> found = include.files;
    result_.tree.includes.push_back(std::move(include));
    for (const std::string& path : found) {
      if (!may_open(path, place) || !parse_file(path, place, out, depth)) return false;
    }
    return true;
  }

  bool find_files(NginxInclude& include, Place place) {
    if (!has_glob(include.pattern)) {
      if (!files_.contains(include.pattern)) {
        return set_error("included file \"" + include.pattern + "\" was not found", place);
      }
      include.files.push_back(include.pattern);
      return true;
    }
    const std::string prefix(glob_literal_prefix(include.pattern));
    for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix);
         ++it) {
      if (++glob_tests_ > limits_.max_glob_tests) return set_error("too many includes", place);
      if (glob_match(include.pattern, it->first)) include.files.push_back(it->first);
    }
    return true;
  }

  bool may_open(const std::string& path, Place place) {
    for (const std::string& open : open_files_) {
      if (open != path) continue;
      std::string chain;
      for (const std::string& step : open_files_) chain += step + " -> ";
      return set_error("include cycle: " + chain + path, place);
    }
    if (open_files_.size() >= static_cast<std::size_t>(limits_.max_include_depth)) {
      return set_error("includes are nested too deeply", place);
    }
    return true;
  }

  const Files& files_;
  const NginxLimits& limits_;
  NginxParse result_;
  std::string folder_;
  std::map<std::string, int> indexes_;
  std::vector<std::string> open_files_;
  std::size_t total_bytes_ = 0, nodes_ = 0, glob_tests_ = 0;
};

}  // namespace

NginxParse parse_nginx_partly(const Files& files, const std::string& main_path,
                              const NginxLimits& limits) {
  return Parser(files, limits).run(main_path);
}

tl::expected<NginxTree, ParseError> parse_nginx(const Files& files, const std::string& main_path,
                                                const NginxLimits& limits) {
  NginxParse parse = parse_nginx_partly(files, main_path, limits);
  if (parse.error) return tl::unexpected<ParseError>(std::move(*parse.error));
  return std::move(parse.tree);
}

const NginxInclude* include_matching(const NginxTree& tree, std::string_view path) {
  const std::string normal = absolute_path(path, "/");
  for (const NginxInclude& include : tree.includes) {
    const bool matches =
        has_glob(include.pattern) ? glob_match(include.pattern, normal) : include.pattern == normal;
    if (matches) return &include;
  }
  return nullptr;
}

std::string quote_nginx_word(std::string_view word) {
  const bool plain = !word.empty() && word.find_first_of(" \t\r\n;{}\"'\\#$") == std::string::npos;
  // "$x" and "${x}" read the same with and without quotes; leave such words as people write them.
  const bool variable =
      !word.empty() && word.find_first_of(" \t\r\n;{}\"'\\#") == std::string::npos;
  if (plain || variable) return std::string(word);
  std::string out = "\"";
  for (const char c : word) {
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out += c;
    }
  }
  return out + '"';
}

std::string to_text(const NginxNode& node) {
  std::string out = quote_nginx_word(node.name);
  for (const std::string& arg : node.args) out += ' ' + quote_nginx_word(arg);
  if (!node.has_block) return out + ';';
  out += " {";
  if (!node.raw.empty()) return out + node.raw + '}';
  for (const NginxNode& child : node.block) out += ' ' + to_text(child);
  return out + " }";
}

}  // namespace hitless::confdiff
