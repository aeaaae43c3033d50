#include "adapters/aws/xml.hpp"

#include <gtest/gtest.h>

namespace hitless::aws {
namespace {

TEST(Xml, ListsAndPathsAreFound) {
  const auto tree = parse_xml(
      "<R xmlns=\"http://x\"><Res><L><member><Id> i-1 </Id></member><member><Id>i-2</Id></member>"
      "</L></Res></R>");
  ASSERT_TRUE(tree) << describe(tree.error());
  const auto items = tree->list("Res/L");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0]->value("Id"), "i-1");
  EXPECT_EQ(tree->value("Res/None"), "");
  EXPECT_TRUE(tree->list("None").empty());
}

TEST(Xml, DocumentTypesAreRefusedSoThatNothingExpands) {
  const auto tree = parse_xml("<!DOCTYPE r [<!ENTITY a \"aaaa\">]><r>&a;&a;</r>");
  ASSERT_FALSE(tree);
  EXPECT_NE(tree.error().what.find("document type"), std::string::npos);
}

TEST(Xml, BrokenDeepAndHugeAreErrorsNotCrashes) {
  EXPECT_FALSE(parse_xml(""));
  EXPECT_FALSE(parse_xml("<a><b></a>"));
  EXPECT_FALSE(parse_xml("<a/><b/>"));
  EXPECT_FALSE(parse_xml("<a>\x01</a>"));
  EXPECT_FALSE(parse_xml("<html><body>502<br></body></html>"));
  std::string deep, many = "<a>";
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_NE(parse_xml(deep).error().what.find("too deep"), std::string::npos);
  for (int i = 0; i < 60'001; ++i) many += "<b/>";
  EXPECT_NE(parse_xml(many + "</a>").error().what.find("too many"), std::string::npos);
}

}  // namespace
}  // namespace hitless::aws
