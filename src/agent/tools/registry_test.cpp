#include "agent/tools/registry.hpp"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "agent/tools/schema.hpp"

namespace hitless::agent {
namespace {

namespace json = boost::json;

Tool tool(std::string name, Level level) {
  Tool made;
  made.name = std::move(name);
  made.title = "T";
  made.description = "D";
  made.level = level;
  made.hints.read_only = level == Level::read;
  made.hints.destructive = level == Level::act;
  made.input = schema_of(R"({"type":"object","additionalProperties":false,"required":["host"],
    "properties":{"host":{"type":"string","minLength":1,"maxLength":5},
    "limit":{"type":"integer","minimum":1,"maximum":200},
    "order":{"type":"string","enum":["old","new"]}}})");
  made.output = schema_of(R"({"type":"object","additionalProperties":false,
    "properties":{"line":{"type":"string"}}})");
  made.handle = [](json::object arguments, Caller) -> Task<Answer> {
    co_return json::object{{"line", arguments.at("host")}};
  };
  return made;
}

Answer call(const Registry& registry, std::string name, std::string arguments, Allow allow) {
  Answer answer = fail(ErrorCode::internal, "not called");
  Caller caller{"agent test", "alice@laptop", allow};
  run_until_done(
      [&]() -> Task<void> { answer = co_await registry.call(name, schema_of(arguments), caller); });
  return answer;
}

TEST(Registry, OffersByLevelAndAlwaysTheSafeDirection) {
  Registry registry;
  registry.add(tool("z_read", Level::read));
  registry.add(tool("propose_it", Level::propose));
  registry.add(tool("act_it", Level::act));
  registry.add(tool("kill_switch_engage", Level::safe));
  EXPECT_EQ(registry.list(Allow::read).size(), 2u);
  EXPECT_EQ(registry.list(Allow::propose).size(), 3u);
  EXPECT_EQ(registry.list(Allow::act).size(), 4u);
  EXPECT_EQ(registry.list(Allow::act).front()->name, "act_it");
  const Answer refused = call(registry, "propose_it", R"({"host":"a"})", Allow::read);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
  EXPECT_NE(refused.error().what.find("--allow propose"), std::string::npos);
  EXPECT_FALSE(call(registry, "act_it", R"({"host":"a"})", Allow::propose));
  EXPECT_TRUE(call(registry, "act_it", R"({"host":"a"})", Allow::act));
  EXPECT_TRUE(call(registry, "kill_switch_engage", R"({"host":"a"})", Allow::read));
}

TEST(Registry, ArgumentsAreCheckedBeforeTheHandlerRuns) {
  Registry registry;
  registry.add(tool("look", Level::read));
  const auto problem = [&](std::string arguments) {
    const Answer answer = call(registry, "look", std::move(arguments), Allow::read);
    return answer ? std::string("fits") : answer.error().what;
  };
  EXPECT_EQ(problem(R"({"host":"a"})"), "fits");
  EXPECT_EQ(problem("{}"), "`host` is missing");
  EXPECT_EQ(problem(R"({"host":7})"), "host: has to be string, not 7");
  EXPECT_EQ(problem(R"({"host":""})"), "host: at least 1 characters");
  EXPECT_EQ(problem(R"({"host":"äöüäö"})"), "fits");
  EXPECT_EQ(problem(R"({"host":"abcdef"})"), "host: at most 5 characters, not 6");
  EXPECT_EQ(problem(R"({"host":"a","limit":500})"), "limit: 500 is more than 200");
  EXPECT_EQ(problem(R"({"host":"a","limit":1.5})"), "limit: has to be integer, not 1.5E0");
  EXPECT_EQ(problem(R"({"host":"a","order":"up"})"), R"(order: "up" is none of ["old","new"])");
  EXPECT_EQ(problem(R"({"host":"a","shell":"id"})"),
            "there is no `shell` here, but: host, limit, order");
  EXPECT_EQ(problem(R"({"host":"a","\u001b[2J":1})"),
            "there is no `\\x1b[2J` here, but: host, limit, order");
}

TEST(Registry, WhatComesOutIsRedactedAndWithoutControlCharacters) {
  Registry registry;
  Tool hostile = tool("look", Level::read);
  hostile.handle = [](json::object, Caller) -> Task<Answer> {
    co_return json::object{{"line", "\x1b]0;x\x07 \xe2\x80\xae password=hunter2hunter2\nnext"}};
  };
  registry.add(std::move(hostile));
  const Answer answer = call(registry, "look", R"({"host":"a"})", Allow::read);
  ASSERT_TRUE(answer) << answer.error().what;
  const std::string line(answer->at("line").as_string());
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(line.find("\xe2\x80\xae"), std::string::npos);
  EXPECT_EQ(line.find("hunter2"), std::string::npos);
  EXPECT_NE(line.find("\nnext"), std::string::npos);
}

TEST(Registry, AnAnswerThatDoesNotFitItsSchemaIsOurBugAndDoesNotLeave) {
  Registry registry;
  Tool wrong = tool("look", Level::read);
  wrong.handle = [](json::object, Caller) -> Task<Answer> { co_return json::object{{"lines", 3}}; };
  registry.add(std::move(wrong));
  const Answer answer = call(registry, "look", R"({"host":"a"})", Allow::read);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::internal);
}

TEST(Registry, RefusesToolsThatBreakItsRules) {
  Registry registry;
  EXPECT_THROW(registry.add(tool("Shell", Level::read)), std::logic_error);
  EXPECT_THROW(registry.add(tool(std::string(65, 'a'), Level::read)), std::logic_error);
  Tool open = tool("open", Level::read);
  open.input = schema_of(R"({"type":"object","properties":{}})");
  EXPECT_THROW(registry.add(open), std::logic_error);
  Tool unchecked = tool("unchecked", Level::read);
  unchecked.input = schema_of(
      R"({"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","pattern":"x"}}})");
  EXPECT_THROW(registry.add(unchecked), std::logic_error);
  Tool lying = tool("lying", Level::propose);
  lying.hints.read_only = true;
  EXPECT_THROW(registry.add(lying), std::logic_error);
  registry.add(tool("twice", Level::read));
  EXPECT_THROW(registry.add(tool("twice", Level::read)), std::logic_error);
}

TEST(Schema, NestedListsAndNullableTypes) {
  const json::object schema = schema_of(R"({"type":"object","additionalProperties":false,
    "properties":{"list":{"type":"array","maxItems":2,"items":{"type":["string","null"]}}}})");
  ASSERT_TRUE(check_schema(schema));
  EXPECT_EQ(what_does_not_fit(schema_of(R"({"list":["a",null]})"), schema), "");
  EXPECT_EQ(what_does_not_fit(schema_of(R"({"list":[1]})"), schema),
            "list[0]: has to be string or null, not 1");
  EXPECT_EQ(what_does_not_fit(schema_of(R"({"list":["a","b","c"]})"), schema),
            "list: at most 2 items, not 3");
}

}  // namespace
}  // namespace hitless::agent
