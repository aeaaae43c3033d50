#include "cli/notifying.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/notify/spool.hpp"
#include "base/time.hpp"
#include "cli/card.hpp"
#include "cli/certificate_store.hpp"
#include "cli/evidence_store.hpp"
#include "cli/incident_report.hpp"
#include "core/names.hpp"
#include "core/verdict.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kSendBudgetMs = 20'000;
constexpr std::size_t kMaxAttachmentBytes = 4u << 20;

// With the hashes, so that whoever gets it can verify the chain (docs/AUDIT.md).
std::string audit_log(journal::SqliteJournal& journal, const std::string& rollout) {
  auto text = journal.export_text(rollout, kMaxAttachmentBytes);
  return text ? *text
              : "{\"note\":\"too large to attach; hitless audit export " + rollout + "\"}\n";
}

}  // namespace

ports::Notification started_notification(const core::Plan& plan, const std::string& actor) {
  ports::Notification n;
  n.key = plan.rollout + "/started";
  n.kind = ports::NotificationKind::started;
  n.rollout = plan.rollout;
  n.service = plan.service;
  n.title = fmt::format("{}: {} of {} started by {}", plan.rollout, core::to_string(plan.intent),
                        plan.service, actor);
  n.text = n.title + (plan.change_summary.empty() ? "" : "\n" + plan.change_summary);
  n.actor = actor;
  n.at = wall_now_ms();
  n.fields = {{"instances", std::to_string(plan.instances.size())},
              {"plan", plan.hash.substr(0, 16)}};
  return n;
}

ports::Notification ended_notification(journal::SqliteJournal& journal, const core::State& state,
                                       const std::vector<core::Entry>& entries, const Told& told) {
  const Terminal plain;
  const core::RolloutResult result = *state.ended;
  ports::Notification n;
  const bool good = result == core::RolloutResult::succeeded;
  n.key = state.plan.rollout + "/ended";
  n.kind = good ? ports::NotificationKind::succeeded : ports::NotificationKind::failed;
  n.rollout = state.plan.rollout;
  n.service = state.plan.service;
  n.result = std::string(core::to_string(result));
  n.incident = state.incident;
  n.title = fmt::format("{}{}: {} of {}: {}", state.incident.empty() ? "" : state.incident + " ",
                        state.plan.rollout, core::to_string(state.plan.intent), state.plan.service,
                        n.result);
  const Diagnosed diagnosed = diagnose(journal, state);
  CardExtras extras;
  extras.certificate = told.certificate;
  extras.where = diagnosed.where;
  n.text = result_card(state, extras, plain);
  n.actor = state.actor;
  n.at = state.ended_at;
  n.fields = {{"result", n.result},
              {"duration", format_duration(state.ended_at - state.started_at)}};
  if (!good) n.fields.emplace_back("why", core::why(state));
  if (told.certificate) {
    const std::string verdict = verdict_text(*told.certificate);
    n.fields.emplace_back("clients", verdict);
    if (told.certificate->verdict == witness::Verdict::refuted) n.title += " · clients: " + verdict;
  }
  // Off this machine: whoever rewrites the journal later cannot rewrite this.
  if (const auto head = journal.signed_head()) n.fields.emplace_back("audit head", *head);
  n.attachments.push_back({state.plan.rollout + "-audit.jsonl", "application/x-ndjson",
                           audit_log(journal, state.plan.rollout)});
  if (!told.report.empty() && told.report.size() <= kMaxAttachmentBytes)
    n.attachments.push_back(
        {state.plan.rollout + ".html", "text/html; charset=utf-8", told.report});
  if (!state.incident.empty()) {
    n.attachments.push_back({state.incident + ".txt", "text/plain; charset=utf-8",
                             incident_report(state, entries, told.certificate, diagnosed)});
  }
  return n;
}

ports::Notification stopped_notification(const std::string& rollout, const Error& error) {
  ports::Notification n;
  n.key = rollout + "/stopped/" + std::to_string(wall_now_ms());
  n.kind = ports::NotificationKind::failed;
  n.rollout = rollout;
  n.result = "stopped";
  n.title = rollout + " stopped before its end and needs a human";
  n.text = describe(error) + (error.help.empty() ? "" : "\n" + error.help);
  n.actor = actor_name();
  n.at = wall_now_ms();
  return n;
}

namespace {

std::vector<ports::Sink*> all_of(const std::vector<std::unique_ptr<ports::Sink>>& sinks) {
  std::vector<ports::Sink*> all;
  for (const auto& sink : sinks) all.push_back(sink.get());
  return all;
}

Task<SendReport> send_to(std::string dir, std::vector<ports::Sink*> sinks,
                         ports::Notification notification) {
  SendReport report;
  notify::Spool spool(std::move(dir));
  std::vector<ports::Sink*> wanted;
  for (ports::Sink* sink : sinks) {
    if (!sink->wants(notification.kind)) continue;
    wanted.push_back(sink);
    if (Status spooled = spool.enqueue(sink->name(), notification); !spooled) {
      report.lines.push_back(sink->name() + " ✗ (" + describe(spooled.error()) + ")");
      report.required_failed |= sink->required();
    }
  }
  for (const notify::DeliveryReport& each : co_await spool.flush(wanted, kSendBudgetMs)) {
    if (each.key != notification.key) continue;
    const bool attached = !notification.attachments.empty();
    if (each.status == notify::DeliveryStatus::delivered) {
      report.lines.push_back(each.sink + (attached ? " ✓ (audit log attached)" : " ✓"));
      continue;
    }
    report.lines.push_back(each.sink + " ✗ (" + each.error.what +
                           (each.status == notify::DeliveryStatus::dead
                                ? "; given up)"
                                : "; kept, tried again later)"));
    const auto it = std::find_if(wanted.begin(), wanted.end(),
                                 [&](const ports::Sink* s) { return s->name() == each.sink; });
    report.required_failed |= it != wanted.end() && (*it)->required();
  }
  co_return report;
}

}  // namespace

Task<SendReport> send_all(const App& app, const std::vector<std::unique_ptr<ports::Sink>>* sinks,
                          ports::Notification notification) {
  co_return co_await send_to(state_dir(app) + "/spool", all_of(*sinks), std::move(notification));
}

Task<SendReport> announce(const App& app, const std::vector<std::unique_ptr<ports::Sink>>* sinks,
                          ports::Notification started) {
  const std::string dir = state_dir(app) + "/spool";
  std::vector<ports::Sink*> required, rest;
  for (ports::Sink* sink : all_of(*sinks)) (sink->required() ? required : rest).push_back(sink);
  SendReport report = co_await send_to(dir, std::move(required), started);
  if (report.required_failed) {
    notify::Spool(dir).withdraw(started.key);
    co_return report;
  }
  co_return co_await send_to(dir, std::move(rest), std::move(started));
}

}  // namespace hitless::cli
