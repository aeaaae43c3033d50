#include "cli/approvals.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>

#include "base/digest.hpp"
#include "cli/fact_fields.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;

std::string key_of(const std::string& plan_hash) {
  return "approval:" + plan_hash;
}

Status put(ports::Journal& journal, const Approval& approval) {
  const json::object fact{
      {"plan", approval.plan_hash},        {"fingerprint", approval.fingerprint},
      {"approver", approval.approver},     {"at", approval.at},
      {"expires_at", approval.expires_at}, {"used_by", approval.used_by}};
  return journal.put_fact(key_of(approval.plan_hash), json::serialize(fact));
}

std::string proposal_of(const SavedPlan& saved) {
  return json::serialize(json::object{{"proposer", saved.proposer},
                                      {"for_whom", saved.for_whom},
                                      {"reason", saved.reason},
                                      {"saved_at", saved.saved_at},
                                      {"fingerprint", digest_of(saved.fingerprint)}});
}

std::string proposal_key(const SavedPlan& saved) {
  return "proposal:" + saved.plan.hash;
}

Error needs_one(const SavedPlan& saved) {
  return {ErrorCode::refused,
          "the plan needs an approval by somebody other than " + saved.proposer,
          {},
          "they run `hitless approve` on it"};
}

}  // namespace

std::string person_name() {
  const passwd* entry = getpwuid(getuid());
  std::string user = entry != nullptr ? entry->pw_name : std::to_string(getuid());
  const char* sudo = std::getenv("SUDO_USER");
  if (getuid() == 0 && sudo != nullptr && *sudo != '\0') user = sudo;
  char host[256] = "";
  (void)gethostname(host, sizeof host - 1);
  return user + "@" + host;
}

std::string digest_of(const engine::Fingerprint& fingerprint) {
  std::string text;
  for (const auto& [name, value] : fingerprint)
    text += std::to_string(name.size()) + ":" + name + std::to_string(value.size()) + ":" + value;
  return sha256_hex(text);
}

Status note_proposal(ports::Journal& journal, const SavedPlan& saved) {
  auto known = journal.get_fact(proposal_key(saved));
  if (!known) return tl::unexpected<Error>(known.error());
  if (known->empty()) return journal.put_fact(proposal_key(saved), proposal_of(saved));
  if (*known == proposal_of(saved)) return {};
  return fail(ErrorCode::refused, "somebody else asked for this very plan before");
}

Status check_proposal(ports::Journal& journal, const SavedPlan& saved) {
  auto known = journal.get_fact(proposal_key(saved));
  if (!known) return tl::unexpected<Error>(known.error());
  const std::string help = "make a new one with `hitless plan " + saved.plan.service + "`";
  if (known->empty())
    return fail(ErrorCode::refused, "nothing in this state folder says who asked for the plan", {},
                help + " and this state folder, while its policy wants approvals");
  if (*known != proposal_of(saved))
    return fail(ErrorCode::refused,
                "the plan file was edited: it does not say what was noted when the plan was made",
                {}, help);
  return {};
}

std::optional<Approval> find_approval(ports::Journal& journal, const std::string& plan_hash) {
  const auto text = journal.get_fact(key_of(plan_hash));
  if (!text || text->empty()) return std::nullopt;
  boost::system::error_code error;
  const json::value parsed = json::parse(*text, error);
  if (error || !parsed.is_object()) return std::nullopt;
  const json::object& fact = parsed.get_object();
  return Approval{text_at(fact, "plan"), text_at(fact, "fingerprint"), text_at(fact, "approver"),
                  time_at(fact, "at"),   time_at(fact, "expires_at"),  text_at(fact, "used_by")};
}

Result<Approval> approve(ports::Journal& journal, const SavedPlan& saved,
                         const std::string& approver, bool own_agent_is_fine) {
  const std::string service = saved.plan.service;
  if (saved.proposer.empty())
    return fail(ErrorCode::refused, "the plan does not say who asked for it", {},
                "make a new one with `hitless plan " + service + "`");
  if (Status ok = check_proposal(journal, saved); !ok) return tl::unexpected<Error>(ok.error());
  if (approver == saved.proposer)
    return fail(ErrorCode::refused, approver + " asked for this plan and cannot approve it", {},
                "somebody else has to; with sudo it is whoever called sudo");
  if (approver == saved.for_whom && !own_agent_is_fine)
    return fail(
        ErrorCode::refused,
        saved.proposer + " asked for this plan on behalf of " + approver +
            ", who cannot approve it",
        {},
        "somebody else has to, or the policy of " + service + " says `approve_own_agent: true`");
  const TimeMs now = wall_now_ms();
  if (now - saved.saved_at > kAwaitingApprovalMs)
    return fail(ErrorCode::refused,
                "the plan is stale: it was made " + format_duration(now - saved.saved_at) + " ago",
                {}, "make a new one with `hitless plan " + service + "`");
  if (const auto known = find_approval(journal, saved.plan.hash); known && !known->used_by.empty())
    return fail(ErrorCode::refused, "the plan has run already, as " + known->used_by, {},
                "make a new one with `hitless plan " + service + "`");
  Approval approval{
      saved.plan.hash, digest_of(saved.fingerprint), approver, now, now + kApprovalValidMs, {}};
  if (Status ok = put(journal, approval); !ok) return tl::unexpected<Error>(ok.error());
  return approval;
}

Status check_approval(ports::Journal& journal, const SavedPlan& saved) {
  const auto approval = find_approval(journal, saved.plan.hash);
  if (!approval) return tl::unexpected<Error>(needs_one(saved));
  if (approval->plan_hash != saved.plan.hash || approval->approver.empty() ||
      approval->approver == saved.proposer)
    return tl::unexpected<Error>(needs_one(saved));
  if (approval->fingerprint != digest_of(saved.fingerprint))
    return fail(ErrorCode::refused, "what the approval stands on is not what the plan stands on",
                {}, "it needs a new approval");
  if (Status ok = check_proposal(journal, saved); !ok) return ok;
  if (!approval->used_by.empty())
    return fail(ErrorCode::refused, "the approval was used already, by " + approval->used_by, {},
                "an approval counts once: make a new plan, and have it approved");
  const TimeMs now = wall_now_ms();
  if (now > approval->expires_at || now < approval->at)
    return fail(ErrorCode::refused,
                "the approval of " + approval->approver + " ended at " +
                    format_timestamp(approval->expires_at),
                {}, "it needs a new approval");
  return {};
}

Status use_approval(ports::Journal& journal, const SavedPlan& saved) {
  if (Status ok = check_approval(journal, saved); !ok) return ok;
  auto approval = find_approval(journal, saved.plan.hash);
  approval->used_by = saved.plan.rollout;
  return put(journal, *approval);
}

fleet::Autonomy autonomy_of(const fleet::Fleet& fleet, const std::vector<std::string>& services,
                            core::Intent intent) {
  // Unset is as strict for agents as `approve`, and for people not at all: the others decide first.
  std::optional<fleet::Autonomy> lowest;
  bool unset = false;
  for (const std::string& name : services) {
    const fleet::Service* service = fleet.service(name);
    if (service == nullptr) continue;
    const auto found = service->policy.autonomy.find(std::string(core::to_string(intent)));
    if (found == service->policy.autonomy.end()) {
      unset = true;
      continue;
    }
    if (!lowest || found->second < *lowest) lowest = found->second;
  }
  if (!lowest) return fleet::Autonomy::unset;
  return unset && *lowest == fleet::Autonomy::automatic ? fleet::Autonomy::unset : *lowest;
}

std::string_view name_of(fleet::Autonomy autonomy) {
  switch (autonomy) {
    case fleet::Autonomy::observe:
      return "observe";
    case fleet::Autonomy::propose:
      return "propose";
    case fleet::Autonomy::approve:
      return "approve";
    case fleet::Autonomy::automatic:
      return "auto";
    case fleet::Autonomy::unset:
      break;
  }
  return "unset";
}

Needs needs_of(fleet::Autonomy autonomy, bool agent) {
  switch (autonomy) {
    case fleet::Autonomy::observe:
    case fleet::Autonomy::propose:
      return agent ? Needs::person : Needs::nothing;
    case fleet::Autonomy::approve:
      return Needs::approval;
    case fleet::Autonomy::automatic:
      return Needs::nothing;
    case fleet::Autonomy::unset:
      break;
  }
  return agent ? Needs::approval : Needs::nothing;
}

}  // namespace hitless::cli
