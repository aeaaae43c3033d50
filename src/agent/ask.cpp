#include "agent/ask.hpp"

#include <algorithm>
#include <array>

#include "agent/ask_reader.hpp"
#include "base/text.hpp"

namespace hitless::agent {
namespace {

std::string quoted(const std::string& word) {
  return "`" + word + "`";
}

bool has(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

void keep_order_once(std::vector<std::string>& list) {
  std::vector<std::string> once;
  for (std::string& each : list)
    if (!has(once, each)) once.push_back(std::move(each));
  list = std::move(once);
}

// The command without its service, for lists of choices.
std::string as_choice(Request request, const std::string& service,
                      const std::vector<std::string>& hosts) {
  request.service = service;
  request.hosts = hosts;
  request.canary.clear();
  return join(command_of(request), " ");
}

// Which service: what was named, narrowed by where it must live. Never the nearest.
class Resolver {
 public:
  Resolver(Request& request, const Reading& reading, const KnownFleet& fleet)
      : request_(request), reading_(reading), fleet_(fleet) {}

  void run() {
    pick_names();
    if (names_.services.size() > 1) return several(names_.services);
    std::vector<std::string> candidates =
        names_.services.empty() ? on_the_hosts() : names_.services.front();
    narrow(candidates);
    if (candidates.empty()) return nothing_there();
    if (candidates.size() > 1) return choose(candidates);
    request_.service = candidates.front();
    check_hosts();
    if (names_.services.empty() && !names_.hosts.empty())
      request_.notes.push_back(request_.service + " is the only service on " +
                               join(request_.hosts, ", "));
  }

 private:
  const KnownService* known(const std::string& name) const {
    for (const KnownService& each : fleet_.services)
      if (each.name == name) return &each;
    return nullptr;
  }

  // What the sentence is about when the action itself names nothing.
  void pick_names() {
    names_ = reading_.target;
    const Names& subject = reading_.subject;
    const bool nothing = names_.services.empty() && names_.hosts.empty() && !reading_.all;
    if (nothing) {
      names_ = subject;
    } else if (names_.services.empty() && !subject.services.empty()) {
      names_.services = subject.services;
    } else if (!subject.hosts.empty() && names_.hosts.empty() && !reading_.all &&
               !reading_.pronoun) {
      both_or_one_ = subject.hosts;
    } else if (reading_.pronoun && names_.hosts.empty() && !reading_.all) {
      names_.hosts = subject.hosts;
    }
    request_.hosts = names_.hosts;
    keep_order_once(request_.hosts);
  }

  std::vector<std::string> on_the_hosts() const {
    std::vector<std::string> all;
    for (const KnownService& each : fleet_.services) all.push_back(each.name);
    return all;
  }

  void narrow(std::vector<std::string>& candidates) const {
    if (request_.hosts.empty()) return;
    std::erase_if(candidates, [&](const std::string& name) {
      const KnownService* service = known(name);
      return std::any_of(request_.hosts.begin(), request_.hosts.end(),
                         [&](const std::string& host) { return !has(service->hosts, host); });
    });
  }

  void several(const std::vector<std::vector<std::string>>& groups) {
    request_.problems.push_back("one service at a time, so that one failure stays one failure");
    for (const auto& group : groups)
      for (const std::string& name : group)
        request_.choices.push_back(as_choice(request_, name, request_.hosts));
  }

  void nothing_there() {
    const std::string where = join(request_.hosts, ", ");
    if (!names_.services.empty() && !where.empty()) {
      request_.problems.push_back(join(names_.services.front(), ", ") + " does not run on " +
                                  where);
    } else if (!where.empty()) {
      request_.problems.push_back("no service runs on all of " + where);
    } else {
      request_.problems.push_back("the fleet file has no service");
    }
  }

  void choose(const std::vector<std::string>& candidates) {
    const bool named = !names_.services.empty() || !names_.hosts.empty();
    request_.problems.push_back(named ? "more than one service fits" : "which service?");
    for (const std::string& name : candidates)
      request_.choices.push_back(as_choice(request_, name, request_.hosts));
  }

  void check_hosts() {
    const KnownService* service = known(request_.service);
    if (!both_or_one_.empty()) {
      request_.problems.push_back("only " + join(both_or_one_, ", ") + ", or all of " +
                                  request_.service + "?");
      request_.choices = {as_choice(request_, request_.service, both_or_one_),
                          as_choice(request_, request_.service, {})};
      return;
    }
    for (const std::string& host : reading_.left_out) {
      if (!has(service->hosts, host)) continue;  // it is not touched anyway
      if (!has(request_.left_out, host)) request_.left_out.push_back(host);
    }
    if (!request_.left_out.empty()) {
      if (request_.hosts.empty()) request_.hosts = service->hosts;
      std::erase_if(request_.hosts,
                    [&](const std::string& host) { return has(request_.left_out, host); });
      if (request_.hosts.empty())
        request_.problems.push_back("nothing is left: " + join(request_.left_out, ", ") +
                                    (request_.left_out.size() > 1 ? " are" : " is") +
                                    " not to be touched");
    }
    const auto& among = request_.hosts.empty() ? service->hosts : request_.hosts;
    if (!request_.canary.empty() && !has(among, request_.canary))
      request_.problems.push_back(quoted(request_.canary) + " cannot go first: it is not among " +
                                  join(among, ", "));
  }

  Request& request_;
  const Reading& reading_;
  const KnownFleet& fleet_;
  Names names_;
  std::vector<std::string> both_or_one_;
};

void decide_question(Request& request, const Reading& reading) {
  const bool about = !reading.target.services.empty() || !reading.target.hosts.empty() ||
                     !reading.subject.services.empty() || !reading.subject.hosts.empty();
  if (!request.id.empty()) {
    request.wish = Wish::why;
  } else if (reading.saw.contains(Tag::incident)) {
    request.wish = Wish::incidents;
  } else if (reading.saw.contains(Tag::failed)) {
    request.wish = Wish::why;
  } else if (reading.saw.contains(Tag::out)) {
    request.wish = Wish::out_of_rotation;
  } else if (reading.saw.contains(Tag::past) || reading.saw.contains(Tag::rollout) ||
             !reading.verbs.empty()) {
    request.wish = Wish::history;
  } else if (reading.saw.contains(Tag::health) || reading.saw.contains(Tag::symptom) || about) {
    request.wish = Wish::status;
  } else {
    request.problems.push_back(
        "ask what is out of rotation, how a service is, why a rollout failed, what happened "
        "lately, or which incidents there are");
  }
}

// A question about a service; without one it is about all.
void resolve_question(Request& request, const Reading& reading, const KnownFleet& fleet) {
  const bool one = request.wish == Wish::status || request.wish == Wish::out_of_rotation ||
                   request.wish == Wish::why || request.wish == Wish::history;
  const bool named = !reading.target.services.empty() || !reading.target.hosts.empty() ||
                     !reading.subject.services.empty() || !reading.subject.hosts.empty();
  if (one && named && request.id.empty()) {
    Resolver(request, reading, fleet).run();
    // A host with several services is asked about as a whole.
    if (request.service.empty() && reading.target.services.empty() &&
        reading.subject.services.empty() && request.wish != Wish::why) {
      request.problems.clear();
      request.choices.clear();
    }
  }
}

void decide_action(Request& request, const Reading& reading) {
  std::vector<Wish> wishes;
  for (const Wish wish : reading.verbs)
    if (std::find(wishes.begin(), wishes.end(), wish) == wishes.end()) wishes.push_back(wish);
  if (wishes.size() > 1) {
    std::vector<std::string> names;
    for (const Wish wish : wishes) names.emplace_back(to_string(wish));
    request.problems.push_back("one thing at a time: " + join(names, " or ") +
                               "? Ask for the second when the first has ended");
  }
  if (!wishes.empty()) request.wish = wishes.front();
}

// What was forbidden beside what is wanted.
void respect(Request& request, const Reading& reading) {
  for (const Forbidden& each : reading.forbidden) {
    const bool any = each.wish == Wish::none;
    const std::string what = any ? "touched" : std::string(to_string(each.wish));
    const std::vector<std::string> names = each.all_names();
    request.not_done.push_back((any ? "not to be touched" : "no " + what) +
                               (names.empty() ? "" : ": " + join(names, ", ")));
    if (request.wish == Wish::none || !is_action(request.wish)) continue;
    if (each.wish == request.wish && each.hosts.empty()) {
      const bool same = each.services.empty() || has(each.services, request.service);
      if (same) request.problems.push_back("it says both: " + what + ", and no " + what);
    }
    if (any && has(each.services, request.service))
      request.problems.push_back("it says both: " + std::string(to_string(request.wish)) + " " +
                                 request.service + ", and that it is not to be touched");
    if (!any && each.wish != request.wish && !each.hosts.empty())
      request.problems.push_back("may " + join(each.hosts, ", ") + " be touched by a " +
                                 std::string(to_string(request.wish)) + "?");
    const bool may_restart = request.wish == Wish::apply || request.wish == Wish::patch;
    if (each.wish == Wish::restart && may_restart)
      request.problems.push_back("whether " + std::string(to_string(request.wish)) +
                                 " needs a restart depends on the change; `hitless plan` says it");
  }
}

void check_options(Request& request, const Reading& reading) {
  if (request.if_needed && request.wish != Wish::reboot)
    request.problems.push_back("`if needed` is only known for a reboot");
  if (!request.packages.empty() && request.wish != Wish::patch)
    request.problems.push_back("packages are for `patch`");
  request.refused = !reading.never_offered.empty();
  for (const std::string& word : reading.never_offered)
    request.problems.push_back(quoted(word) +
                               " is not on offer: drain, checks and the floor always hold");
  if (reading.at_once.size() > 1) request.problems.push_back("how many at once?");
  if (!reading.at_once.empty()) request.at_once = reading.at_once.front();
  const bool steers = is_action(request.wish) && !is_planned(request.wish);
  if (steers && request.id.empty() && !reading.saw.contains(Tag::last) &&
      !reading.saw.contains(Tag::rollout) && request.wish != Wish::rollback)
    request.problems.push_back("which rollout? Its id, R-…, stands in `hitless history`");
}

}  // namespace

std::string_view to_string(Wish wish) {
  constexpr std::array<std::string_view, 16> kNames = {
      "nothing",         "restart", "reload",  "apply",    "patch", "reboot",
      "rollback",        "retry",   "pause",   "resume",   "abort", "status",
      "out of rotation", "why",     "history", "incidents"};
  return kNames.at(static_cast<std::size_t>(wish));
}

bool is_planned(Wish wish) {
  return wish == Wish::restart || wish == Wish::reload || wish == Wish::apply ||
         wish == Wish::patch || wish == Wish::reboot;
}

bool is_action(Wish wish) {
  return wish > Wish::none && wish <= Wish::abort;
}

bool Request::clear() const {
  return wish != Wish::none && problems.empty() && choices.empty() &&
         (!is_action(wish) || not_understood.empty());
}

Request understand(std::string_view text, const KnownFleet& fleet) {
  Request request;
  if (text.size() > kMaxAskBytes) {
    request.problems.push_back("at most " + std::to_string(kMaxAskBytes) + " bytes, please");
    return request;
  }
  const Reading reading = read_words(text, fleet, request);
  if (reading.question && !reading.planning) {
    decide_question(request, reading);
    resolve_question(request, reading, fleet);
    return request;
  }
  decide_action(request, reading);
  request.only_plan = reading.planning;
  if (request.only_plan && request.wish != Wish::none && !is_planned(request.wish))
    request.problems.push_back("only what starts from a plan can be planned");
  if (is_planned(request.wish) ||
      (request.wish == Wish::rollback && request.id.empty() && !fleet.services.empty()))
    Resolver(request, reading, fleet).run();
  if (request.wish == Wish::rollback && !request.hosts.empty())
    request.problems.push_back("a rollback is of a rollout as a whole");
  respect(request, reading);
  check_options(request, reading);
  const bool only_forbids = request.wish == Wish::none && !request.not_done.empty();
  if (request.wish == Wish::none && !only_forbids)
    request.problems.push_back(
        "no word says what to do: restart, reload, apply, patch, reboot, rollback, or a question");
  return request;
}

std::vector<std::string> command_of(const Request& request) {
  std::vector<std::string> argv = {"hitless"};
  if (request.only_plan) {
    argv.insert(argv.end(), {"plan", request.service, "--for"});
    argv.emplace_back(to_string(request.wish));
  } else {
    argv.emplace_back(to_string(request.wish));
    if (!request.service.empty() && is_planned(request.wish)) argv.push_back(request.service);
    if (!request.id.empty()) argv.push_back(request.id);
  }
  if (!request.hosts.empty() && is_planned(request.wish))
    argv.insert(argv.end(), {"--limit", join(request.hosts, ",")});
  if (!request.canary.empty()) argv.insert(argv.end(), {"--canary", request.canary});
  if (request.at_once) argv.insert(argv.end(), {"--at-once", std::to_string(*request.at_once)});
  if (request.if_needed) argv.emplace_back("--if-needed");
  if (!request.packages.empty())
    argv.insert(argv.end(), {"--package", join(request.packages, ",")});
  return argv;
}

std::vector<std::string> what_will_happen(const Request& request) {
  std::vector<std::string> lines;
  const bool of_hosts = request.wish == Wish::reboot || request.wish == Wish::patch;
  const std::string one = of_hosts ? "each host, with all services on it," : "each instance";
  const std::string act = request.wish == Wish::restart  ? "restarted"
                          : request.wish == Wish::reload ? "reloaded"
                          : request.wish == Wish::apply  ? "given its new configuration"
                          : request.wish == Wish::patch  ? "upgraded"
                                                         : "rebooted";
  lines.push_back(one + " leaves rotation and drains before it is " + act +
                  ", so that no client meets it in the middle");
  lines.emplace_back(
      "it comes back when it has proven itself and the load balancers agree; then the next one");
  lines.push_back(request.wish == Wish::reboot
                      ? "the first failure stops it: the rest stay as they are"
                      : "the first failure stops it and is rolled back: the rest stay as they are");
  return lines;
}

}  // namespace hitless::agent
