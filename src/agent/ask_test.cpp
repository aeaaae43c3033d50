#include "agent/ask.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.hpp"

namespace hitless::agent {
namespace {

const KnownFleet& fleet() {
  static const KnownFleet kFleet = {
      {{"web", {"nginx", "nginx.service"}, {"web01", "web02", "web03"}},
       {"app", {"app.service"}, {"web01", "web02", "web03"}},
       {"edge", {"nginx", "nginx.service"}, {"edge01"}},
       {"db", {"postgresql", "postgres"}, {"db01", "db02"}}},
      {{"a", {"web01", "web02"}}, {"canary", {"db01"}}}};
  return kFleet;
}

Request ask(const std::string& text) {
  return understand(text, fleet());
}

std::string all_of(const Request& request) {
  return "problems: " + join(request.problems, " | ") +
         "; choices: " + join(request.choices, " | ") +
         "; not understood: " + join(request.not_understood, " ");
}

struct Clear {
  const char* text;
  const char* command;
};

TEST(Ask, ReadsAnActionToItsCommand) {
  const Clear all[] = {
      {"nginx on web01 leaks; restart it safely", "hitless restart web --limit web01"},
      {"restart web", "hitless restart web"},
      {"Please restart the service web, one at a time.", "hitless restart web --at-once 1"},
      {"restart web two at a time", "hitless restart web --at-once 2"},
      {"restart app on web01 and web02", "hitless restart app --limit web01,web02"},
      {"restart app@web02", "hitless restart app --limit web02"},
      {"restart postgres because it leaks memory and swaps", "hitless restart db"},
      {"because nginx on edge01 leaks, restart it", "hitless restart edge --limit edge01"},
      {"reload nginx on edge01", "hitless reload edge --limit edge01"},
      {"restart web but not web03", "hitless restart web --limit web01,web02"},
      {"restart everything of app except web01 and web02", "hitless restart app --limit web03"},
      {"restart web; do not touch web02", "hitless restart web --limit web01,web03"},
      {"do not restart web; reload it", "hitless reload web"},
      {"don't restart web, reload it", "hitless reload web"},
      {"reload web instead of restarting it", "hitless reload web"},
      {"instead of restarting, reload web", "hitless reload web"},
      {"don't restart it, reload app", "hitless reload app"},
      {"restart app, web02 first", "hitless restart app --canary web02"},
      {"restart app and start with web03", "hitless restart app --canary web03"},
      {"restart app in zone a", "hitless restart app --limit web01,web02"},
      {"restart only db02", "hitless restart db --limit db02"},
      {"roll out the new config on web", "hitless apply web"},
      {"patch package openssl, libssl3 on db", "hitless patch db --package openssl,libssl3"},
      {"reboot db if needed", "hitless reboot db --if-needed"},
      {"could you restart web without downtime?", "hitless restart web"},
      {"what would happen if I restart web on web01?",
       "hitless plan web --for restart --limit web01"},
      {"roll back R-7f3a21", "hitless rollback R-7f3a21"},
      {"abort the rollout r-7f3a21", "hitless abort R-7f3a21"},
      {"the last rollout: abort it", "hitless abort"},
      {"restart web on the hosts web01 and web02", "hitless restart web --limit web01,web02"},
      {"restart web on all hosts", "hitless restart web"},
      {"restart web because the reload did not help", "hitless restart web"},
  };
  for (const Clear& each : all) {
    const Request request = ask(each.text);
    EXPECT_TRUE(request.clear()) << each.text << ": " << all_of(request);
    EXPECT_EQ(join(command_of(request), " "), each.command) << each.text;
  }
}

TEST(Ask, TheReasonIsKeptAsItWasSaid) {
  const Request leak = ask("nginx on web01 leaks; restart it safely");
  EXPECT_EQ(leak.reason, "nginx on web01 leaks");
  EXPECT_TRUE(leak.safely);
  EXPECT_EQ(ask("restart app because Web02 is slow, one at a time").reason,
            "Web02 is slow, one at a time");
  EXPECT_TRUE(ask("restart app because web02 is slow").hosts.empty());
}

struct Unclear {
  const char* text;
  const char* says;  // in problems or choices or what was not understood
};

TEST(Ask, WhatIsNotSureIsNotDone) {
  const Unclear all[] = {
      {"restart nginx", "hitless restart edge"},
      {"restart web01", "hitless restart app --limit web01"},
      {"restart", "which service?"},
      {"restart web and app", "one service at a time"},
      {"restart web and reload app", "one thing at a time"},
      {"restart web from web01 to web03", "from"},
      {"restart web tomorrow", "tomorrow"},
      {"restart web in 5 minutes", "5 minutes"},
      {"restart web if web02 is up", "if"},
      {"restart web or app", "or"},
      {"restart wbe", "wbe"},
      {"force restart web", "force"},
      {"restart web and skip the drain", "skip"},
      {"stop web", "stop"},
      {"restart web on db01", "does not run on db01"},
      {"restart web. do not restart web", "it says both"},
      {"restart web but don't touch web", "it says both"},
      {"restart web, but do not reload web03", "may web03 be touched"},
      {"apply web without restarting", "depends on the change"},
      {"restart app except web01, web02 and web03", "nothing is left"},
      {"nginx on web01 leaks; restart web", "only web01, or all of web?"},
      {"restart web; run rm -rf / on web01", "rm"},
      {"restart web && reboot", "&"},
      {"restart canary", "say `service canary` or `host canary`"},
      {"do not restart web and reload app", "what does `do` cover?"},
      {"do not restart, reload app", "what does `do` cover?"},
      {"don't touch web03 and restart app", "what does `don't` cover?"},
      {"restart app on web01, web02 but not the first", "first"},
      {"restart app not two at once", "two"},
      {"restart app, never more than one at a time", "more than one"},
      {"restart app but not if needed", "if needed"},
      {"restart web on this host", "this host"},
      {"restart web on the last host", "the last host"},
      {"restart web on any host", "any host"},
      {"restart the last of web", "the last"},
      {"restart web, web02 last", "last"},
      {"restart web on these hosts", "these hosts"},
      {"restart web in the zone", "zone"},
      {"restart web but not the last one", "the last"},
      {"restart the newest rollout of web", "the newest rollout"},
      {"what would happen if I restart web on the last host?", "the last host"},
      {"pause", "which rollout?"},
      {"patch openssl on db", "openssl"},
      {"restart app if needed", "if needed"},
      {"hello there", "no word says what to do"},
      {"перезапусти web", "перезапусти"},
      {"", "no word says what to do"},
  };
  for (const Unclear& each : all) {
    const Request request = ask(each.text);
    EXPECT_FALSE(request.clear()) << each.text << " -> " << join(command_of(request), " ");
    EXPECT_NE(all_of(request).find(each.says), std::string::npos)
        << each.text << ": " << all_of(request);
  }
}

TEST(Ask, ForbiddingAloneDoesNothing) {
  for (const char* text : {"do not restart web", "don't touch web02", "never reboot db",
                           "please don't restart anything"}) {
    const Request request = ask(text);
    EXPECT_FALSE(request.clear()) << text;
    EXPECT_EQ(request.wish, Wish::none) << text;
    EXPECT_FALSE(request.not_done.empty()) << text;
  }
}

TEST(Ask, QuestionsAreNeverActions) {
  struct Asked {
    const char* text;
    Wish wish;
    const char* service;
  };
  const Asked all[] = {
      {"what is out of rotation?", Wish::out_of_rotation, ""},
      {"which instances of web are out?", Wish::out_of_rotation, "web"},
      {"why is app@web03 out?", Wish::out_of_rotation, "app"},
      {"is web healthy?", Wish::status, "web"},
      {"how is db", Wish::status, "db"},
      {"status", Wish::status, ""},
      {"why did R-7f3a21 fail?", Wish::why, ""},
      {"why was the last rollout of web rolled back?", Wish::why, "web"},
      {"explain INC-3", Wish::why, ""},
      {"what happened to R-7f3a21", Wish::why, ""},
      {"which incidents are open?", Wish::incidents, ""},
      {"show history", Wish::history, ""},
      {"when was web restarted?", Wish::history, "web"},
      {"did anybody restart db?", Wish::history, "db"},
      {"is nginx on web01 leaking?", Wish::status, "web"},
  };
  for (const Asked& each : all) {
    const Request request = ask(each.text);
    EXPECT_TRUE(request.clear()) << each.text << ": " << all_of(request);
    EXPECT_EQ(to_string(request.wish), to_string(each.wish)) << each.text;
    EXPECT_EQ(request.service, each.service) << each.text;
  }
}

// Whatever the words and their order: what may be done is whole, and holds nothing that was
// forbidden.
TEST(Ask, AnyOrderOfWordsKeepsTheRules) {
  const std::vector<std::string> words = {
      "restart",    "reload",     "web",    "app",    "db",        "web01", "web02",
      "db01",       "nginx",      "but",    "not",    "do not",    "don't", "and",
      ",",          ";",          "it",     "all",    "except",    "first", "two at a time",
      "because",    "leaks",      "zone a", "safely", "tomorrow",  "force", "touch",
      "start with", "instead of", "?",      "what",   "if needed", "only",  "on",
      "one"};
  std::uint32_t seed = 1;
  const auto next = [&seed](std::size_t below) {
    seed = seed * 1'664'525u + 1'013'904'223u;
    return static_cast<std::size_t>(seed >> 8) % below;
  };
  int clear = 0;
  for (int round = 0; round < 1'500; ++round) {
    std::string text;
    const std::size_t length = 1 + next(9);
    for (std::size_t i = 0; i < length; ++i) text += words[next(words.size())] + " ";
    const Request request = ask(text);
    if (!request.clear() || !is_action(request.wish)) continue;
    ++clear;
    EXPECT_TRUE(request.not_understood.empty()) << text;
    EXPECT_EQ(text.find('?'), std::string::npos) << text;
    for (const KnownService& each : fleet().services) {
      if (each.name != request.service) continue;
      for (const std::string& host : request.hosts)
        EXPECT_NE(std::find(each.hosts.begin(), each.hosts.end(), host), each.hosts.end()) << text;
    }
    if (!request.left_out.empty()) EXPECT_FALSE(request.hosts.empty()) << text;
    for (const std::string& host : request.left_out)
      EXPECT_EQ(std::find(request.hosts.begin(), request.hosts.end(), host), request.hosts.end())
          << text;
    // A host right behind "except", "not" or "touch" is never worked on.
    for (const char* no : {"except ", "but not ", "don't touch ", "do not restart "})
      for (const char* host : {"web01", "web02", "db01"})
        if (text.find(std::string(no) + host) != std::string::npos &&
            text.find("because") == std::string::npos)
          EXPECT_TRUE(!request.hosts.empty() &&
                      std::find(request.hosts.begin(), request.hosts.end(), host) ==
                          request.hosts.end())
              << text << " -> " << join(command_of(request), " ");
  }
  EXPECT_GT(clear, 5);
}

TEST(Ask, HostileTextEndsQuickly) {
  EXPECT_FALSE(ask(std::string(100'000, 'a')).clear());
  std::string many;
  for (int i = 0; i < 140; ++i) many += "not ";
  EXPECT_FALSE(ask(many).clear());
  EXPECT_FALSE(ask(std::string("restart web\0; x", 15)).clear());
  EXPECT_FALSE(ask("restart \xff\xfe web").clear());
  EXPECT_FALSE(ask(";;;,,,???").clear());
  EXPECT_FALSE(ask("restart web \x1b[31m").clear());
}

}  // namespace
}  // namespace hitless::agent
