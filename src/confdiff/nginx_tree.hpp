// An nginx configuration as one tree, includes followed in place, each node knowing where it
// stands.
//
// Exact in what nginx's own parser accepts (not in which directives exist: an unknown directive is
// a node like any other, its meaning is nginx -t's business). Files come from a map, never from a
// disk. Relative includes start at the folder of the main file (nginx's conf prefix), globs are
// taken in byte order, a glob may match nothing, a plain include must exist. Hostile input ends in
// a ParseError: every dimension has a limit in NginxLimits.
#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

struct NginxNode {
  std::string name;
  std::vector<std::string> args;  // unquoted
  bool has_block = false;
  std::vector<NginxNode> block;
  std::string raw;  // body of a *_by_lua_block, not parsed further
  int file = 0;     // index into NginxTree::files
  int line = 0, column = 0;
};

// One include directive as met (once for each time its file is read).
struct NginxInclude {
  std::string written;             // the operand as in the file
  std::string pattern;             // absolute
  std::vector<std::string> files;  // what it took in, in order
  int file = 0, line = 0, column = 0;
  std::size_t begin = 0, end = 0;  // bytes of the raw operand in its file
};

struct NginxTree {
  std::vector<NginxNode> root;
  std::vector<NginxInclude> includes;
  std::vector<std::string> files;  // [0] is the main file; each file once
};

struct NginxLimits {
  std::size_t max_file_bytes = 8u << 20;    // one file
  std::size_t max_total_bytes = 32u << 20;  // read in all, repeated includes counted again
  std::size_t max_nodes = 500'000;          // after expansion
  std::size_t max_includes = 20'000;
  std::size_t max_glob_tests = 2'000'000;
  int max_block_depth = 64;
  int max_include_depth = 32;
};

// Everything that was understood up to the error, too: rebase_nginx needs the includes seen so far.
struct NginxParse {
  NginxTree tree;
  std::optional<ParseError> error;
};
[[nodiscard]] NginxParse parse_nginx_partly(const Files& files, const std::string& main_path,
                                            const NginxLimits& limits = {});
[[nodiscard]] tl::expected<NginxTree, ParseError> parse_nginx(const Files& files,
                                                              const std::string& main_path,
                                                              const NginxLimits& limits = {});

// The include that would take in a file of this name, if it were there: nullptr when none would. So
// a backup belongs where this says nullptr ("conf.d/*" swallows conf.d/x.conf.backup-20260218).
[[nodiscard]] const NginxInclude* include_matching(const NginxTree& tree, std::string_view path);

// The node again as text, on one line, quoted where needed; blocks as "{ … }" in full.
[[nodiscard]] std::string to_text(const NginxNode& node);
[[nodiscard]] std::string quote_nginx_word(std::string_view word);

}  // namespace hitless::confdiff
