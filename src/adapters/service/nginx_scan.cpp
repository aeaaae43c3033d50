#include "adapters/service/nginx_scan.hpp"

#include "confdiff/glob.hpp"
#include "confdiff/nginx_lexer.hpp"
#include "confdiff/nginx_tree.hpp"

namespace hitless::service {
namespace {

using confdiff::NginxStatement;
using confdiff::NginxWord;
using confdiff::StatementEnd;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Calls use(statement, depth) for each directive up to the first that cannot be read.
template <class Use>
void each_directive(std::string_view text, Use use) {
  confdiff::NginxLexer lexer(text);
  int depth = 0;
  for (;;) {
    const auto statement = lexer.next();
    if (!statement || statement->end == StatementEnd::end_of_file) return;
    if (statement->end == StatementEnd::close) {
      --depth;
      continue;
    }
    use(*statement, depth);
    if (statement->end != StatementEnd::open) continue;
    if (!ends_with(statement->words.front().text, "_by_lua_block")) {
      ++depth;
    } else if (!lexer.read_lua_body()) {
      return;
    }
  }
}

bool is(const NginxStatement& statement, std::string_view name) {
  return statement.end == StatementEnd::semicolon && statement.words.size() >= 2 &&
         statement.words.front().text == name;
}

bool is_file_log(std::string_view target) {
  return target != "stderr" && target.rfind("syslog:", 0) != 0 && target.rfind("memory:", 0) != 0;
}

struct Replacement {
  std::size_t begin = 0, end = 0;
  std::string text;
};

}  // namespace

NginxFacts scan_nginx(std::string_view text, const std::string& conf_folder,
                      const std::string& prefix) {
  NginxFacts facts;
  each_directive(text, [&](const NginxStatement& statement, int depth) {
    if (is(statement, "include")) {
      const std::string& operand = statement.words[1].text;
      if (operand.empty()) return;
      facts.includes.push_back(confdiff::absolute_path(operand, conf_folder));
    } else if (depth == 0 && is(statement, "pid")) {
      facts.has_pid = true;
    } else if (depth == 0 && is(statement, "error_log") && facts.error_log.empty()) {
      const std::string& target = statement.words[1].text;
      if (target.empty() || !is_file_log(target)) return;
      if (target.front() == '/')
        facts.error_log = target;
      else if (!prefix.empty())
        facts.error_log = confdiff::absolute_path(target, prefix);
    }
  });
  return facts;
}

std::string rewrite_for_stage(std::string_view text, const std::string& stage,
                              const std::set<std::string>& staged_paths) {
  std::vector<Replacement> replacements;
  const auto replace = [&](const NginxWord& word, const std::string& with) {
    replacements.push_back({word.begin.offset, word.end, confdiff::quote_nginx_word(with)});
  };
  each_directive(text, [&](const NginxStatement& statement, int depth) {
    if (depth == 0 && is(statement, "pid")) {
      replace(statement.words[1], stage + "/hitless-test.pid");
      return;
    }
    const bool include = is(statement, "include");
    for (std::size_t i = 1; i < statement.words.size(); ++i) {
      const std::string& word = statement.words[i].text;
      if (word.empty() || word.front() != '/') continue;
      if (include || staged_paths.count(word) > 0) replace(statement.words[i], stage + word);
    }
  });
  std::string out;
  out.reserve(text.size() + 64 * replacements.size());
  std::size_t at = 0;
  for (const Replacement& replacement : replacements) {
    out += text.substr(at, replacement.begin - at);
    out += replacement.text;
    at = replacement.end;
  }
  out += text.substr(at);
  return out;
}

}  // namespace hitless::service
