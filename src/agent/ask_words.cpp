#include "agent/ask_words.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"

namespace hitless::agent {
namespace {

using T = Tag;

void add(std::vector<Phrase>& table, Tag tag, std::string_view phrases, Wish wish = Wish::none,
         int value = 0) {
  // Phrases are separated by ", "; the views point into the literal.
  while (!phrases.empty()) {
    const std::size_t end = std::min(phrases.find(", "), phrases.size());
    std::string_view one = phrases.substr(0, end);
    Phrase phrase{{}, tag, wish, value};
    while (!one.empty()) {
      const std::size_t space = std::min(one.find(' '), one.size());
      phrase.words.push_back(one.substr(0, space));
      one.remove_prefix(std::min(space + 1, one.size()));
    }
    table.push_back(std::move(phrase));
    phrases.remove_prefix(std::min(end + 2, phrases.size()));
  }
}

void add_actions(std::vector<Phrase>& t) {
  add(t, T::verb, "restart, restarting, restarted, re-start, bounce", Wish::restart);
  add(t, T::verb, "reload, reloading, reloaded, re-load", Wish::reload);
  add(t, T::verb,
      "apply, applying, deploy, deploying, roll out, rolling out, apply the new configuration, "
      "apply the configuration, apply the new config, apply the config, roll out the new "
      "configuration, roll out the new config, roll out the configuration, roll out the config, "
      "deploy the new configuration, deploy the new config, apply the change, roll out the change",
      Wish::apply);
  add(t, T::verb, "patch, patching, patched, upgrade, upgrading", Wish::patch);
  add(t, T::verb, "reboot, rebooting, rebooted", Wish::reboot);
  add(t, T::verb, "rollback, roll back, roll-back, rolling back, revert, reverting, undo",
      Wish::rollback);
  add(t, T::verb, "retry, retrying, try again", Wish::retry);
  add(t, T::verb, "pause, pausing", Wish::pause);
  add(t, T::verb, "resume, resuming, continue, go on with", Wish::resume);
  add(t, T::verb, "abort, aborting, cancel", Wish::abort);
  add(t, T::touch, "touch, touching, change, changing, affect, affecting, disturb, include");
  add(t, T::planning,
      "what would happen if i, what would happen if we, what happens if i, what happens if we, "
      "what would, what if i, what if we, should i, should we, can i, may i, can, is it safe to, "
      "would it be safe to, simulate, dry run, dry-run, plan, plan to, plan a");
}

void add_manner(std::vector<Phrase>& t) {
  add(t, T::safely,
      "safely, safe, carefully, gracefully, gently, hitlessly, rolling, without downtime, with "
      "zero "
      "downtime, with no downtime, zero downtime, zero-downtime, without any downtime, without "
      "dropping connections, without dropping requests, without losing requests, without losing a "
      "request, without interruption, without an outage, with no client noticing");
  add(t, T::at_once, "at a time, at once, at the same time, in parallel, at one time");
  add(t, T::one_by_one,
      "one by one, one after another, one after the other, one-by-one, one-at-a-time, "
      "sequentially");
  const std::vector<std::string_view> numbers = {"one", "two",   "three", "four", "five",
                                                 "six", "seven", "eight", "nine", "ten"};
  for (std::size_t i = 0; i < numbers.size(); ++i)
    add(t, T::number, numbers[i], Wish::none, static_cast<int>(i) + 1);
  add(t, T::first, "first, as canary, as the canary, as a canary");
  add(t, T::start_with, "start with, starting with, begin with, beginning with, canary");
  add(t, T::if_needed,
      "if needed, if necessary, if required, when needed, where needed, that need it, that needs "
      "it, if it needs it, if they need it");
  add(t, T::package, "package, packages, the package, the packages");
  add(t, T::group, "zone, in zone, group, the group, in group");
  add(t, T::service, "service, the service");
  add(t, T::host,
      "host, the host, hosts, the hosts, server, servers, instance, instances, any host, any "
      "server, any instance, any of");
  add(t, T::all,
      "all, every, each, everything, everywhere, all of, all the, all hosts, every host, each "
      "host, all instances, every instance, each instance, all servers, every server, each server, "
      "all of them, the fleet, "
      "whole, the whole");
  add(t, T::forbidden,
      "force, forcibly, forced, skip, skipping, ignore, ignoring, bypass, bypassing, override, "
      "regardless, anyway, immediately, hard, kill, stop, start, delete, remove, disable, drop, "
      "shutdown, shut down, terminate, destroy");
}

void add_grammar(std::vector<Phrase>& t) {
  add(t, T::filler,
      "a, an, the, please, kindly, hitless, of, on, at, in, for, with, only, just, now, so, its, "
      "and, also, i, me, we, us, you, want to, need to, i want you to, go ahead and, let us, "
      "let's, is, are, was, were, do, does, did, has, have, be, been, there, any, my, our, to me, "
      "running, using, should be, must be, needs to be, has to be, needs a, thanks, thank you, at "
      "most, no more than, up to, max, maximum, "
      "ok then, hello, hi");
  add(t, T::pronoun, "it, them, that, this, they, these, those");
  add(t, T::negation,
      "not, no, never, don't, dont, do not, doesn't, does not, must not, mustn't, should not, "
      "shouldn't, cannot, can't, please don't, without, avoid, leave out, leave alone, instead of, "
      "rather than, neither, nor");
  add(t, T::exception,
      "except, except for, excluding, but not, all but, everything but, apart from, "
      "other than, not on, and not, save for");
  add(t, T::but, "but, instead");
  add(t, T::next_clause, "then, and then, after that, afterwards");
  add(t, T::because, "because, because of, since, due to, as it, as they, for it, the reason is");
  add(t, T::symptom,
      "leaks, leaking, leak, leaks memory, leaking memory, is leaking, is leaking memory, memory "
      "leak, has a memory leak, memory grows, memory is growing, is slow, slow, got slow, hangs, "
      "hung, is stuck, stuck, crashes, crashing, is crashing, is broken, broken, misbehaves, "
      "is misbehaving, unresponsive, is unresponsive, swaps, is swapping, out of memory, uses too "
      "much memory, is out of file descriptors, has a new certificate, certificate was renewed, "
      "config changed, configuration changed, is vulnerable");
  add(t, T::last, "last, latest, newest, most recent, the last, the latest, the newest");
  add(t, T::rollout, "rollout, rollouts, the rollout, run, deployment");
}

void add_questions(std::vector<Phrase>& t) {
  add(t, T::question,
      "what, what's, which, why, who, when, how, show, show me, list, tell me, tell, explain, "
      "where, give me");
  add(t, T::polite,
      "can you, could you, would you, will you, can we, could we, i would like you to, "
      "i'd like you to");
  add(t, T::out,
      "out of rotation, out, out of the pool, not in rotation, drained, quarantined, in "
      "maintenance, maintenance, not serving, down, missing");
  add(t, T::health,
      "status, state, health, healthy, ok, fine, well, up, alive, serving, in rotation, okay, "
      "going on, happening, in progress, under way, being done, doing, wrong with");
  add(t, T::failed,
      "fail, failed, fails, failing, go wrong, went wrong, wrong, happened to, happened with, "
      "rolled back, was rolled back, halted, aborted, blocked, refused, the cause, "
      "cause, "
      "diagnosis, root cause, the matter, broke");
  add(t, T::past,
      "history, happened, lately, recently, past, recent, last time, ever, log of, earlier, "
      "yesterday, today");
  add(t, T::incident, "incident, incidents, open incidents, open, the incident, alert, alerts");
}

}  // namespace

static const std::vector<Phrase>& phrases() {
  static const std::vector<Phrase> kTable = [] {
    std::vector<Phrase> table;
    add_actions(table);
    add_manner(table);
    add_grammar(table);
    add_questions(table);
    // The longest first, so that "roll out the config" is not read as "roll out".
    std::sort(table.begin(), table.end(), [](const Phrase& a, const Phrase& b) {
      return std::make_pair(b.words.size(), a.words) < std::make_pair(a.words.size(), b.words);
    });
    return table;
  }();
  return kTable;
}

const Phrase* phrase_at(const std::vector<std::string>& words, std::size_t at) {
  using ByFirstWord = std::map<std::string_view, std::vector<const Phrase*>>;
  static const ByFirstWord kIndex = [] {
    ByFirstWord index;
    for (const Phrase& phrase : phrases()) index[phrase.words.front()].push_back(&phrase);
    return index;
  }();
  if (at >= words.size()) return nullptr;
  const auto found = kIndex.find(words[at]);
  if (found == kIndex.end()) return nullptr;
  for (const Phrase* phrase : found->second) {
    if (at + phrase->words.size() > words.size()) continue;
    if (std::equal(phrase->words.begin(), phrase->words.end(),
                   words.begin() + static_cast<std::ptrdiff_t>(at)))
      return phrase;
  }
  return nullptr;
}

const std::vector<std::string>& single_words() {
  static const std::vector<std::string> kWords = [] {
    std::vector<std::string> words;
    for (const Phrase& phrase : phrases())
      if (phrase.words.size() == 1 && phrase.words[0].size() > 3)
        words.emplace_back(phrase.words[0]);
    return words;
  }();
  return kWords;
}

}  // namespace hitless::agent
