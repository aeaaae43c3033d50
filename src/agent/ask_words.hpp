// The controlled vocabulary of `hitless ask`: words and phrases, and what each stands for. A table,
// so that what is understood can be read off; the grammar is in ask.cpp.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "agent/ask.hpp"

namespace hitless::agent {

enum class Tag {
  filler,       // changes nothing: the, please, on
  verb,         // an action
  touch,        // any action, only in what is forbidden: "do not touch web03"
  pronoun,      // it, them
  all,          // everything of the service
  negation,     // not, never, without
  exception,    // except, but not
  but,          // ends what a negation covers
  because,      // a reason follows
  symptom,      // a reason by itself
  safely,       // as it always is
  at_once,      // a number stands before it
  one_by_one,   // at_once 1
  number,       // value
  first,        // what stands before it goes first
  start_with,   // what follows goes first
  if_needed,    //
  package,      // package names follow
  group,        // the name of a zone or group follows
  service,      // the name of a service follows
  host,         // the name of a host follows
  next_clause,  // then
  last,         // the newest rollout
  rollout,      //
  forbidden,    // force, skip: never on offer
  out,          // out of rotation
  health,       // status, healthy
  failed,       // why, what went wrong
  past,         // history
  incident,     //
  question,     // starts a question
  polite,       // starts a request in the form of a question
  planning,     // what would happen if
};

struct Phrase {
  std::vector<std::string_view> words;  // in lower case
  Tag tag;
  Wish wish = Wish::none;
  int value = 0;
};

// The longest phrase that starts at words[at]; null: none.
[[nodiscard]] const Phrase* phrase_at(const std::vector<std::string>& words, std::size_t at);
// All verbs and question words, for suggestions.
[[nodiscard]] const std::vector<std::string>& single_words();

}  // namespace hitless::agent
