// ask: a request in plain words. What was understood is said first; a question is answered by the
// verbs that answer it, an action runs through the same plan, screen and confirmation as its verb.
// What was not understood is named, and then nothing is done; where a model is set up it may
// propose a reading first, which only a person at a terminal can confirm.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/ask_fleet.hpp"
#include "cli/confirm.hpp"
#include "cli/incident_report.hpp"
#include "cli/load.hpp"
#include "cli/model_setup.hpp"

namespace hitless::cli {
namespace {

using agent::Request;
using agent::Wish;

constexpr int kLookBack = 1'000;  // rollouts

std::string json_list(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& each : list)
    text += (text.empty() ? "" : ",") + journal::quote_json(each);
  return "[" + text + "]";
}

void print_json(const Request& request) {
  fmt::print(
      R"({{"format_version":1,"understood":{},"wish":{},"service":{},"hosts":{},"left_out":{},)"
      R"("command":{},"reason":{},"notes":{},"not_done":{},"not_understood":{},"problems":{},)"
      R"("choices":{}}})"
      "\n",
      request.clear(), journal::quote_json(agent::to_string(request.wish)),
      journal::quote_json(request.service), json_list(request.hosts), json_list(request.left_out),
      request.clear() && agent::is_action(request.wish)
          ? journal::quote_json(join(agent::command_of(request), " "))
          : "null",
      journal::quote_json(request.reason), json_list(request.notes), json_list(request.not_done),
      json_list(request.not_understood), json_list(request.problems), json_list(request.choices));
  std::fflush(stdout);
}

void say(const App& app, const char* what, const std::string& text) {
  if (!text.empty())
    fmt::print(stderr, "{:<15} {}\n", what, app.err.plain(escape_for_terminal(text)));
}

std::string in_words(const Request& request) {
  std::string text(agent::to_string(request.wish));
  if (!request.id.empty()) text += " " + request.id;
  if (!request.service.empty()) text += " " + request.service;
  if (!request.hosts.empty()) text += " on " + join(request.hosts, ", ");
  if (!request.packages.empty()) text += ", packages " + join(request.packages, ", ");
  if (!request.left_out.empty()) text += ", not on " + join(request.left_out, ", ");
  if (!request.canary.empty()) text += ", " + request.canary + " first";
  if (request.at_once) text += fmt::format(", {} at a time", *request.at_once);
  if (request.if_needed) text += ", only where it is needed";
  if (request.safely) text += ", safely (it always is)";
  return request.only_plan ? "what would happen: " + text : text;
}

void print_reading(const App& app, const Request& request) {
  if (request.wish != Wish::none) say(app, "understood", in_words(request));
  say(app, "", join(request.notes, "; "));
  say(app, "reason", request.reason);
  for (const std::string& each : request.not_done) say(app, "respected", each);
  if (!request.not_understood.empty())
    say(app, "not understood", join(request.not_understood, " "));
}

// Nothing is done; what to say instead.
int not_clear(const App& app, const Request& request) {
  const bool only_forbids = request.wish == Wish::none && !request.not_done.empty() &&
                            request.not_understood.empty() && request.problems.empty();
  if (only_forbids) {
    fmt::print(stderr, "Nothing was done.\n");
    return kOk;
  }
  std::string what = join(request.problems, "; ");
  if (what.empty()) what = "a word that was not understood could change what is meant";
  std::string help = "say it without, or as a command: `hitless --help`";
  if (!request.choices.empty()) help = "one of: " + join(request.choices, " | ");
  return failed(app, Error{ErrorCode::refused, "nothing was done: " + what, {}, help}, kUsage);
}

int why(App& app, const Request& request) {
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  auto rows = (*journal)->rollouts(kLookBack);
  if (!rows) return failed(app, rows.error());
  for (const ports::RolloutRow& row : *rows) {
    const bool named = !request.id.empty();
    const bool fits = named ? request.id == row.rollout || request.id == row.incident
                            : (request.service.empty() || request.service == row.service) &&
                                  !row.result.empty() && row.result != "succeeded";
    if (!fits) continue;
    if (row.result.empty())
      return failed(app, Error{ErrorCode::refused,
                               row.rollout + " has not ended",
                               {},
                               "hitless watch " + row.rollout});
    if (row.result == "succeeded" && !app.options.json)
      fmt::print(stderr, "{} did not fail.\n", row.rollout);
    return tell_incident(app, **journal, row);
  }
  return failed(
      app, Error{ErrorCode::not_found,
                 request.id.empty()
                     ? "no rollout failed" +
                           (request.service.empty() ? std::string() : " for " + request.service)
                     : "no `" + request.id + "` in the journal",
                 {},
                 "`hitless history` lists them"});
}

int answer(App& app, const Request& request) {
  app.options.service = request.service;
  app.options.id = request.id;
  app.options.limit = request.hosts;
  switch (request.wish) {
    case Wish::out_of_rotation:
      app.options.only_out = true;
      return verb_status(app);
    case Wish::status:
      return verb_status(app);
    case Wish::incidents:
      return verb_incident(app);
    case Wish::history:
      return verb_history(app);
    default:
      return why(app, request);
  }
}

// "roll back web": the newest rollout of new configuration there.
std::optional<std::string> newest_apply(const App& app, const std::string& service) {
  auto journal = open_journal(app, false);
  if (!journal) return std::nullopt;
  auto rows = (*journal)->rollouts(kLookBack);
  if (!rows) return std::nullopt;
  for (const ports::RolloutRow& row : *rows)
    if (row.service == service && row.intent == "apply") return row.rollout;
  return std::nullopt;
}

int steer(App& app, const Request& request) {
  app.options.id = request.id;
  if (request.wish == Wish::rollback && request.id.empty()) {
    auto newest = newest_apply(app, request.service);
    if (!newest)
      return failed(
          app, Error{ErrorCode::not_found,
                     "no rollout of new configuration of " + request.service + " in the journal",
                     {},
                     "`hitless history` lists what there was"});
    say(app, "",
        "the newest rollout of new configuration of " + request.service + " is " + *newest);
    app.options.id = *newest;
  }
  if (request.wish == Wish::rollback) return verb_rollback(app);
  if (request.wish == Wish::retry) return verb_retry(app);
  // These verbs act at once; words are easier misread than a verb.
  if (request.wish != Wish::pause) {
    if (auto code = confirm(app)) return *code;
  }
  return verb_resume(app);
}

int act(App& app, const Request& request) {
  Options& options = app.options;
  options.verb = std::string(agent::to_string(request.wish));
  options.asked = redact(join(options.words, " "));
  if (!agent::is_planned(request.wish)) return steer(app, request);
  options.service = request.service;
  options.limit = request.hosts;
  options.canary = request.canary;
  options.at_once = request.at_once;
  options.if_needed = request.if_needed;
  options.packages = request.packages;
  if (!options.json) {
    say(app, "the same as", join(agent::command_of(request), " "));
    for (const std::string& line : agent::what_will_happen(request)) say(app, "", line);
    fmt::print(stderr, "\n");
  }
  if (request.only_plan) {
    options.intent = options.verb;
    options.plan_file = "-";
    return verb_plan(app);
  }
  return verb_rollout(app);
}

// A model may read what the vocabulary could not, but not what forbids something, nor what asks for
// what is never on offer: there a misreading would do harm.
bool may_ask_model(const App& app, const Request& request) {
  return !request.clear() && !app.options.no_model && request.not_done.empty() &&
         !request.refused && join(app.options.words, " ").size() <= agent::kMaxAskBytes;
}

// What a model read is confirmed by a person who sees it. --yes was said before.
std::optional<int> only_by_a_person(const App& app, const Request& request) {
  const bool asks = isatty(STDIN_FILENO) == 1 && app.err.is_tty && !app.options.no_input;
  if (app.options.dry_run || request.only_plan || (asks && !app.options.yes)) return std::nullopt;
  return failed(
      app,
      Error{ErrorCode::refused,
            "nothing was done: a model read this, and only a person at a terminal can "
            "confirm it",
            {},
            "if it is right, say it as a command: `" + join(agent::command_of(request), " ") + "`"},
      kUsage);
}

// The exit code.
int by_model(App& app, const Request& first, const agent::KnownFleet& fleet) {
  auto endpoint = model_endpoint();
  if (!endpoint) return failed(app, endpoint.error(), kConfig);
  if (!*endpoint) return not_clear(app, first);
  auto request = read_by_model(app, **endpoint, redact(join(app.options.words, " ")), fleet);
  const std::string name = (*endpoint)->model;
  if (!request || request->wish == Wish::none) {
    say(app, "model",
        request ? name + " did not understand it either" : name + ": " + describe(request.error()));
    return not_clear(app, first);
  }
  if (app.options.json) {
    print_json(*request);
  } else {
    say(app, "read by a model", name + " takes it for: " + in_words(*request));
  }
  if (!agent::is_action(request->wish)) return answer(app, *request);
  if (auto code = only_by_a_person(app, *request)) return *code;
  return act(app, *request);
}

}  // namespace

int verb_ask(App& app) {
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return kConfig;
  const agent::KnownFleet names = known_fleet(*fleet);
  const Request request = agent::understand(join(app.options.words, " "), names);
  const bool ask_model = may_ask_model(app, request) && std::getenv("HITLESS_MODEL_URL") != nullptr;
  if (!app.options.json)
    print_reading(app, request);
  else if (!ask_model)
    print_json(request);
  if (ask_model) return by_model(app, request, names);
  if (!request.clear()) return not_clear(app, request);
  return agent::is_action(request.wish) ? act(app, request) : answer(app, request);
}

}  // namespace hitless::cli
