#include <gtest/gtest.h>

#include <random>

#include "base/text.hpp"
#include "confdiff/glob.hpp"
#include "confdiff/nginx_tree.hpp"

namespace hitless::confdiff {
namespace {

const std::string kMain = "/etc/nginx/nginx.conf";

std::string shape(const std::string& text) {
  const auto tree = parse_nginx({{kMain, text}}, kMain);
  if (!tree) return tree.error().what + " at " + place_of(tree.error()).substr(kMain.size() + 1);
  std::string out;
  for (const NginxNode& node : tree->root) {
    out += node.name;
    for (const std::string& arg : node.args) out += "|" + arg;
    out += node.has_block ? "{" + std::to_string(node.block.size()) + "}" : ";";
  }
  return out;
}

struct Case {
  const char* text;
  const char* expected;
};

// What nginx 1.22.1 says about each was tried with nginx -t.
TEST(NginxTree, ReadsWordsAsNginxDoes) {
  const Case cases[] = {
      {"", ""},
      {"# only a comment", ""},
      {"a b c;", "a|b|c;"},
      {"a 'b c' \"d;e\";", "a|b c|d;e;"},
      {"a b#c; # d", "a|b#c;"},
      {"a \"x\\\"y\" 'x\\'y' x\\;y;", "a|x\"y|x'y|x\\;y;"},
      {"a \"\\t|\\n|\\d\";", "a|\t|\n|\\d;"},
      {"a ${b}c;", "a|${b}c;"},
      {"a b}c;", "a|b}c;"},
      {"a \"\";", "a|;"},
      {"if ( $x = \"y\") { b; }", "if|(|$x|=|y|){1}"},
      {"http{server{listen 80;}}", "http{1}"},
      {"x_by_lua_block { local s = \"}\" -- }\n if a then b{c} end --[[ } ]] x = [==[ } ]==] }",
       "x_by_lua_block{0}"},
      {"a \"b\"c;", "unexpected \"c\" at 1:6"},
      {"a b", "unexpected end of file, expecting \";\" or \"}\" at 1:4"},
      {"a {", "unexpected end of file, expecting \"}\" for \"a\" of line 1 at 1:4"},
      {"a { b; }\n}", "unexpected \"}\" at 2:1"},
      {"a { b }", "unexpected \"}\" at 1:7"},
      {";", "unexpected \";\" at 1:1"},
      {"a;\n  {}", "unexpected \"{\" at 2:3"},
      {"a \"b;\nc", "missing terminating \"\"\" at 1:3"},
      {"a x_by_lua_block;\ncontent_by_lua_block {",
       "missing terminating \"}\" of the Lua block at 2:23"},
      {"include a b;", "invalid number of arguments in \"include\" directive at 1:1"},
      {"include a {}", "directive \"include\" is not terminated by \";\" at 1:1"},
      {"include missing.conf;", "included file \"/etc/nginx/missing.conf\" was not found at 1:1"},
      {"include none/*.conf;", ""},
      {"\xEF\xBB\xBF"
       "a;",
       "the file starts with a byte order mark, which nginx takes for a directive at 1:1"},
  };
  for (const Case& one : cases) EXPECT_EQ(shape(one.text), one.expected) << one.text;
}

TEST(NginxTree, LimitsOfWordsAreNginxsOwn) {
  const std::string longest(4095, 'x');
  EXPECT_EQ(shape("a " + longest + ";"), "a|" + longest + ";");
  EXPECT_EQ(shape("a " + longest + "x;"), "too long parameter at 1:3");
  EXPECT_EQ(shape("a '" + longest.substr(1) + "';"), "a|" + longest.substr(1) + ";");
  EXPECT_NE(shape("a '" + longest + "';").find("too long parameter"), std::string::npos);
  EXPECT_EQ(shape("#" + longest + "x\n"), "too long comment at 1:1");
}

TEST(NginxTree, ErrorShowsTheLineAndACaret) {
  const auto tree = parse_nginx({{kMain, "http {\n    server }\n"}}, kMain);
  ASSERT_FALSE(tree.has_value());
  EXPECT_EQ(place_of(tree.error()), kMain + ":2:12");
  EXPECT_EQ(tree.error().excerpt, "    server }\n           ^");
  EXPECT_EQ(to_error(tree.error()).where, kMain + ":2:12");
}

TEST(NginxTree, FollowsIncludesInByteOrder) {
  const Files files = {{kMain, "http { include conf.d/*.conf; include /opt/x.conf; }"},
                       {"/etc/nginx/conf.d/b.conf", "b;"},
                       {"/etc/nginx/conf.d/a.conf", "a;\n  inner 1;"},
                       {"/etc/nginx/conf.d/.hidden.conf", "broken {"},
                       {"/etc/nginx/conf.d/sub/c.conf", "broken {"},
                       {"/etc/nginx/conf.d/a.conf.bak", "broken {"},
                       {"/opt/x.conf", "include conf.d/b.conf;"}};
  const auto tree = parse_nginx(files, kMain);
  ASSERT_TRUE(tree.has_value()) << tree.error().what;
  ASSERT_EQ(tree->root.size(), 1u);
  std::vector<std::string> names;
  for (const NginxNode& node : tree->root[0].block) names.push_back(node.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "inner", "b", "b"}));
  const NginxNode& inner = tree->root[0].block[1];
  EXPECT_EQ(tree->files[static_cast<std::size_t>(inner.file)], "/etc/nginx/conf.d/a.conf");
  EXPECT_EQ(inner.line, 2);
  EXPECT_EQ(inner.column, 3);
  EXPECT_EQ(tree->files.size(), 4u);  // each file once, though b.conf was read twice
}

TEST(NginxTree, TellsWhetherABackupWouldBeSwallowed) {
  const auto tree = parse_nginx(
      {{kMain, "include conf.d/*.conf; include sites-enabled/*; include modules-enabled/*.conf;"}},
      kMain);
  ASSERT_TRUE(tree.has_value());
  const auto swallowed_by = [&](const char* path) {
    const NginxInclude* include = include_matching(*tree, path);
    return include == nullptr ? std::string("nothing") : include->written;
  };
  EXPECT_EQ(swallowed_by("/etc/nginx/nginx.conf.backup-20260218"), "nothing");
  EXPECT_EQ(swallowed_by("/etc/nginx/conf.d/app.conf.backup-20260218"), "nothing");
  EXPECT_EQ(swallowed_by("/etc/nginx/sites-enabled/default.backup-20260218"), "sites-enabled/*");
  EXPECT_EQ(swallowed_by("/etc/nginx/sites-enabled/.default.backup-20260218"), "nothing");
  EXPECT_EQ(swallowed_by("/etc/nginx/conf.d/../conf.d/x.conf"), "conf.d/*.conf");
}

TEST(NginxTree, RefusesCyclesAndExcess) {
  const auto error_of = [](const Files& files, NginxLimits limits = {}) {
    const auto tree = parse_nginx(files, kMain, limits);
    return tree ? std::string("parsed") : tree.error().what;
  };
  EXPECT_EQ(error_of({{kMain, "include a;"}, {"/etc/nginx/a", "include nginx.conf;"}}),
            "include cycle: /etc/nginx/nginx.conf -> /etc/nginx/a -> /etc/nginx/nginx.conf");
  EXPECT_EQ(error_of({{kMain, "include *.conf;"}}),
            "include cycle: /etc/nginx/nginx.conf -> /etc/nginx/nginx.conf");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "a{";
  EXPECT_EQ(error_of({{kMain, deep}}), "blocks are nested too deeply");
  NginxLimits few;
  few.max_nodes = 10;
  EXPECT_EQ(error_of({{kMain, "a;b;c;d;e;f;g;h;i;j;k;"}}, few), "too many directives");
  EXPECT_EQ(error_of({}), "the main configuration file is not among the files");
  // Each file includes the next twice: 2^30 reads without a limit.
  Files bomb = {{kMain, "include f00;"}};
  for (int i = 0; i < 30; ++i) {
    const auto name = [](int n) {
      return std::string("f") + char('0' + n / 10) + char('0' + n % 10);
    };
    bomb["/etc/nginx/" + name(i)] =
        i == 29 ? "x;" : "include " + name(i + 1) + "; include " + name(i + 1) + ";";
  }
  EXPECT_EQ(error_of(bomb), "too many includes");
}

TEST(Glob, MatchesAsGlob3Does) {
  struct {
    const char *pattern, *path;
    bool matches;
  } const cases[] = {{"/a/*.conf", "/a/x.conf", true},
                     {"/a/*.conf", "/a/b/x.conf", false},
                     {"/a/*", "/a/.x", false},
                     {"/a/.*", "/a/.x", true},
                     {"/a/?.c", "/a/x.c", true},
                     {"/a/[xy].c", "/a/y.c", true},
                     {"/a/[!xy].c", "/a/y.c", false},
                     {"/a/[a-c]*", "/a/b1", true},
                     {"/a/[[:digit:]]*", "/a/7", true},
                     {"/*/x", "/a/x", true},
                     {"/a/[", "/a/[", true},
                     {"/a/\\*", "/a/*", true},
                     {"/a/\\*", "/a/b", false},
                     {"/a/*a*b*c", "/a/xxaxxbxxc", true},
                     {"/a/*a*b*c", "/a/xxaxxbxx", false},
                     {"", "", true}};
  for (const auto& one : cases) {
    EXPECT_EQ(glob_match(one.pattern, one.path), one.matches) << one.pattern << " " << one.path;
  }
  std::string hostile, name(20'000, 'a');
  for (int i = 0; i < 2000; ++i) hostile += "*a";
  EXPECT_FALSE(glob_match("/" + hostile + "b", "/" + name));  // ends soon, or the test times out
}

// Any bytes: either a tree or an error with a place, and what was read reads the same when written.
TEST(NginxTree, SurvivesMutatedInput) {
  const std::string seed =
      "user www;\nhttp { # c\n map $a $b { default \"x y\"; ~^/x 'q'; }\n include conf.d/*.conf;\n"
      "server { listen 80; location ~ \\.php$ { if ($x = \"a\") { return 200 \"${a}b\\n\"; } } }\n"
      "content_by_lua_block { local a = [[ } ]] -- }\n }\n}\n";
  const std::string alphabet = "{};\"'\\#$ \n\tab[]=-*\0\xff(";
  std::mt19937 random(7);
  int parsed = 0;
  for (int round = 0; round < 5'000; ++round) {
    std::string text = seed;
    for (std::uint32_t i = random() % 6; i > 0 && !text.empty(); --i) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, random() % 9);
          break;
        case 2:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
      }
    }
    const auto tree = parse_nginx(
        {{kMain, text}, {"/etc/nginx/conf.d/a.conf", text.substr(text.size() / 2)}}, kMain);
    if (!tree) {
      EXPECT_GT(tree.error().line, 0);
      EXPECT_GT(tree.error().column, 0);
      continue;
    }
    ++parsed;
    std::string written;
    for (const NginxNode& node : tree->root) written += to_text(node) + "\n";
    const auto again = parse_nginx({{kMain, written}}, kMain);
    ASSERT_TRUE(again.has_value()) << again.error().what << "\n" << text << "\n---\n" << written;
    std::string rewritten;
    for (const NginxNode& node : again->root) rewritten += to_text(node) + "\n";
    ASSERT_EQ(written, rewritten) << text;
  }
  EXPECT_GT(parsed, 100);
}

}  // namespace
}  // namespace hitless::confdiff
