// Hostile and broken files: a clear error at the right place, quickly, and nothing else.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "fleet/fleet_test_support.hpp"
#include "fleet/yaml_tree.hpp"

namespace hitless::fleet {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;

std::string repeat(const std::string& piece, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += piece;
  return out;
}

struct Case {
  std::string name, text, codes;
};
class BrokenFile : public testing::TestWithParam<Case> {};

TEST_P(BrokenFile, IsRefusedWithItsCodeAndPlace) {
  const auto result = load_text(GetParam().text);
  EXPECT_FALSE(result.fleet);
  EXPECT_EQ(codes_of(result), GetParam().codes) << render(result.diagnostics, false);
}

INSTANTIATE_TEST_SUITE_P(
    Bytes, BrokenFile,
    testing::Values(
        Case{"empty", "", "HL0009@1:1"}, Case{"comments", "# a\n\n  # b\n---\n", "HL0009@1:1"},
        Case{"nul", "version: 1\nna\0me: x\n"s, "HL0003@2:3"},
        Case{"escape", "version: \x1b[31m1\n", "HL0003@1:10"},
        Case{"latin1", "version: 1\n# gr\xfc\xdf\n", "HL0003@2:5"},
        Case{"utf16", "\xff\xfev\0e\0"s, "HL0003@1:1"},
        Case{"lone_cr", "version: 1\rservices: 2\n", "HL0003@1:11"},
        Case{"after_umlaut", "é: \x01\n", "HL0003@1:4"},
        Case{"bom_crlf", "\xef\xbb\xbfversion: 1\r\nservcies: {}\r\n", "HL0102@1:1 HL0104@2:1"},
        Case{"bom_then_bad", "\xef\xbb\xbfversin: 1\nservices: {s: {kind: command, hosts: []}}\n",
             "HL0102@1:1 HL0104@1:1 HL0102@2:12 HL0310w@2:12 HL0108@2:31"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Yaml, BrokenFile,
    testing::Values(
        Case{"tab", "version: 1\nservices:\n\tweb: {}\n", "HL0004@3:1"},
        Case{"tab_after_spaces", "services:\n  a: 1\n  \tb: 2\n", "HL0004@3:3"},
        Case{"open_quote", "version: 1\nservices: \"x\nhosts: {}\n", "HL0005@2:11"},
        Case{"open_list", "hosts: [a, b\n", "HL0005@2:1"}, Case{"colon", "a: b: c\n", "HL0005@1:5"},
        Case{"at", "a: @b\n", "HL0005@1:4"}, Case{"stray_comma", "\"a\",b\n", "HL0005@1:4"},
        Case{"two_documents", "version: 1\n---\nversion: 1\n", "HL0010@2:1"},
        Case{"anchor", "version: &v 1\n", "HL0008@1:10"},
        Case{"alias", "a: &x {}\nb: *x\n", "HL0008@1:4"},
        Case{"tag", "version: !!int 1\n", "HL0008@1:10"},
        Case{"merge", "version: 1\nservices: {}\n<<: {}\n", "HL0116@2:1 HL0008@3:1"},
        Case{"list", "- a\n- b\n", "HL0105@1:1"}, Case{"scalar", "hello\n", "HL0105@1:1"},
        Case{"version2", "version: 2\nfuture: true\n", "HL0101@1:10"},
        Case{"key_list", "version: 1\nservices: {}\n[a]: b\n", "HL0116@2:1 HL0105@3:1"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Bombs, BrokenFile,
    testing::Values(Case{"brackets", "a: " + repeat("[", 900'000), "HL0006@1:132"},
                    Case{"braces", repeat("{a: ", 200'000), "HL0006@1:513"},
                    Case{"depth33", repeat("[", 33) + repeat("]", 33), "HL0006@1:33"},
                    Case{"dashes", repeat("- ", 400'000), "HL0006@1:65"},
                    Case{"questions", repeat("? ", 400'000), "HL0006@1:65"},
                    Case{"nodes", "a: [" + repeat("1,", 300'000) + "1]", "HL0007@1:19999"},
                    Case{"quotes", repeat("\"a\",", 200'000), "HL0005@1:4"}),
    [](const auto& info) { return info.param.name; });

TEST(Bounds, TenMegabytesAreRefusedUnread) {
  const auto result = load_text("version: 1\n" + std::string(10'000'000, '#'));
  ASSERT_EQ(result.diagnostics.size(), 1U);
  EXPECT_EQ(result.diagnostics[0].code, "HL0002");
  EXPECT_THAT(result.diagnostics[0].message, HasSubstr("9.5 MiB large; at most 1.0 MiB"));
}

TEST(Bounds, AliasBombStopsAtTheFirstAnchor) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'z'; ++c)
    bomb += c + ": &"s + c + " [" + repeat("*"s + static_cast<char>(c - 1) + ",", 9) + "]\n";
  EXPECT_EQ(codes_of(load_text(bomb)), "HL0008@1:4");
}

TEST(Bounds, WideFileStaysWithinMemory) {
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  EXPECT_FALSE(load_text("version: 1\nhosts: {" + repeat("h: {},", 170'000) + "}").fleet);
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 300'000) << "KiB more than before";
}

TEST(Bounds, FoldersFifosAndMissingFiles) {
  const Folder folder;
  EXPECT_EQ(codes_of(load_fleet(folder.path())), "HL0001@0:0");
  EXPECT_EQ(codes_of(load_fleet(folder.path() + "/none.yaml")), "HL0001@0:0");
  EXPECT_EQ(codes_of(load_fleet("/dev/zero")), "HL0001@0:0");
  const std::string fifo = folder.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(codes_of(load_fleet(fifo)), "HL0001@0:0");
  EXPECT_THAT(render(load_fleet(folder.path() + "/none.yaml").diagnostics, false),
              HasSubstr("No such file"));
}

TEST(Bounds, AtMostTwoHundredFindingsAreShown) {
  std::string text = "version: 1\nservices: {}\n";
  for (int i = 0; i < 500; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const auto result = load_text(text);
  EXPECT_EQ(result.diagnostics.size(), Diagnostics::kMostDiagnostics);
  EXPECT_THAT(render(result.diagnostics, false), HasSubstr("301 more findings are not shown"));
}

TEST(YamlTree, KeepsOrderRepeatsQuotesAndPlaces) {
  Diagnostics diagnostics;
  Source source;
  ASSERT_TRUE(Source::from_text("b: 'no'\na: no\nb: |\n  text\nc:\nd: [x, 'it''s']\n", "t",
                                diagnostics, source));
  const auto root = parse_yaml(source, diagnostics);
  ASSERT_TRUE(root);
  ASSERT_EQ(root->keys.size(), 5U);
  EXPECT_EQ(root->keys[2].text, "b");
  EXPECT_TRUE(root->items[0].quoted);
  EXPECT_EQ(root->items[0].span.length, 4);
  EXPECT_FALSE(root->items[1].quoted);
  EXPECT_TRUE(root->items[2].quoted);
  EXPECT_EQ(root->items[2].text, "text\n");
  EXPECT_EQ(root->items[3].kind, Node::Kind::null);
  EXPECT_EQ(root->items[3].span.line, 5);
  EXPECT_EQ(root->items[4].items[1].text, "it's");
  EXPECT_EQ(root->items[4].items[1].span.length, 7);
}

}  // namespace
}  // namespace hitless::fleet
