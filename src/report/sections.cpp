#include "base/text.hpp"
#include "core/names.hpp"
#include "core/verdict.hpp"
#include "report/html.hpp"
#include "report/parts.hpp"

namespace hitless::report {

namespace {

struct Badge {
  const char *css, *sign;
  std::string words;
};

std::string html(const Badge& badge) {
  return fmt::format("<span class=\"badge {}\">{} {}</span>", badge.css, badge.sign,
                     safe(badge.words));
}

Badge badge_of(const core::State& state) {
  if (!state.ended) return {"warn", "…", "still running"};
  std::string words(core::to_string(*state.ended));
  std::replace(words.begin(), words.end(), '_', ' ');
  switch (*state.ended) {
    case core::RolloutResult::succeeded:
      return {"good", "✔", words};
    case core::RolloutResult::rolled_back:
    case core::RolloutResult::aborted:
    case core::RolloutResult::blocked:
      return {"warn", "▲", words};
    default:
      return {"bad", "✖", words};
  }
}

Badge badge_of(witness::Verdict verdict) {
  const std::string words = std::string("zero-drop ") + witness::name_of(verdict);
  switch (verdict) {
    case witness::Verdict::confirmed:
      return {"good", "✔", words};
    case witness::Verdict::refuted:
      return {"bad", "✖", words};
    default:
      return {"warn", "?", words};
  }
}

std::string pair(const std::string& term, const std::string& html_value) {
  return html_value.empty() ? "" : "<dt>" + safe(term) + "</dt><dd>" + html_value + "</dd>";
}

std::string place(const witness::CertifiedLoss& lost) {
  std::vector<std::string> parts;
  for (const witness::Where& where : lost.where)
    parts.push_back(fmt::format("{} of {}", core::to_string(where.phase), where.instance));
  return parts.empty() ? "nothing in work" : join(parts, " or ");
}

std::string loss_table(const witness::Certificate& c) {
  std::vector<std::vector<std::string>> rows;
  for (const witness::CertifiedLoss& lost : c.losses) {
    if (rows.size() >= kMaxLossRows) break;
    rows.push_back({"<span class=\"at\">" + format_timestamp(lost.moment_ms).substr(11) + "</span>",
                    witness::name_of(lost.loss.kind), safe(place(lost)),
                    safe(fmt::format("{} {}", witness::name_of(lost.loss.type), lost.loss.path)),
                    safe(lost.loss.detail), witness::name_of(lost.blame)});
  }
  std::string caption = "Failed requests";
  if (c.losses.size() > rows.size())
    caption += fmt::format(", the first {} of {}", rows.size(), c.losses.size());
  return table(caption, {"Lost at", "Kind", "Phase and instance", "Request", "What", "Blame"},
               rows);
}

std::string counted(const std::optional<std::int64_t>& value) {
  return value ? fmt::format("+{}", *value) : "unknown";
}

std::string counter_table(const witness::Certificate& c) {
  std::vector<std::vector<std::string>> rows;
  for (const witness::CounterRow& row : c.counters)
    rows.push_back({safe(row.source), safe(row.counter), counted(row.baseline),
                    counted(row.rollout), row.more ? "▲ more than before" : ""});
  return table("Counters", {"Source", "Counter", "Before", "In the rollout", ""}, rows);
}

const char* sign_of(core::CheckStatus status) {
  switch (status) {
    case core::CheckStatus::pass:
      return "<span class=\"good\">✔ pass</span>";
    case core::CheckStatus::warn:
      return "<span class=\"warn\">▲ warn</span>";
    case core::CheckStatus::fail:
      return "<span class=\"bad\">✖ fail</span>";
    default:
      return "<span class=\"warn\">? unknown</span>";
  }
}

std::string diff_html(const std::string& diff) {
  std::string out = "<pre>";
  std::size_t lines = 0;
  for (const std::string& each : split(diff, '\n')) {
    if (++lines > kMaxDiffLines) {
      out += "<span class=\"ctx\">… the rest is left out</span>";
      break;
    }
    const char first = each.empty() ? ' ' : each[0];
    const bool head = each.rfind("+++", 0) == 0 || each.rfind("---", 0) == 0;
    const char* css = head ? "ctx" : first == '+' ? "add" : first == '-' ? "del" : "ctx";
    out += fmt::format("<span class=\"{}\">{}</span>", css, each.empty() ? " " : safe(each));
  }
  return out + "</pre>\n";
}

}  // namespace

std::string summary_part(const ReportInput& input) {
  const core::State& state = input.state;
  std::string out = fmt::format("<header><h1>{} of {}, rollout {}</h1>\n<p>",
                                safe(core::to_string(state.plan.intent)), safe(state.plan.service),
                                safe(state.plan.rollout));
  out += html(badge_of(state));
  if (input.certificate) {
    out += html(badge_of(input.certificate->verdict));
  } else {
    out += html({"warn", "?", "no certificate"});
  }
  out += "</p>\n<dl>";
  out += pair("why", safe(core::why(state)));
  out += pair("incident", safe(state.incident));
  out += pair("when", format_timestamp(began(input)) + " to " + format_timestamp(ended(input)) +
                          ", " + format_duration(ended(input) - began(input)));
  out += pair("by", safe(state.actor));
  out += pair("change", safe(state.plan.change_summary));
  out += pair("plan", safe(state.plan.hash.substr(0, 16)));
  out += pair(
      "floor",
      fmt::format("{} serving at all times; lowest seen {}", state.plan.policy.capacity.floor,
                  state.lowest_serving < 0 ? "unknown" : std::to_string(state.lowest_serving)));
  out += "</dl>\n<nav aria-label=\"Sections\"><ul>";
  for (const auto& [id, name] : {std::pair{"certificate", "Certificate"},
                                 {"gantt", "Instances"},
                                 {"drains", "Drains"},
                                 {"clients", "Clients"},
                                 {"checklist", "Checklist"},
                                 {"diff", "Change"},
                                 {"journal", "Journal"}})
    out += fmt::format("<li><a href=\"#{}\">{}</a></li>", id, name);
  return out + "</ul></nav></header>\n";
}

std::string certificate_part(const ReportInput& input) {
  if (!input.certificate)
    return section("certificate", "Certificate",
                   input.probers.empty() ? "<p>None was made: no prober watched this rollout.</p>\n"
                                         : "<p>None was made: nothing was touched.</p>\n");
  const witness::Certificate& c = *input.certificate;
  std::string body = "<p>" + html(badge_of(c.verdict)) + "</p>\n<ul>";
  for (const std::string& reason : c.reasons) body += "<li>" + safe(reason) + "</li>";
  for (const std::string& remark : c.remarks) body += "<li>remark: " + safe(remark) + "</li>";
  body += "</ul>\n<dl>";
  body += pair("requests", fmt::format("{} in rollout and soak, {} lost", c.sent, c.lost));
  body += pair("baseline", fmt::format("{} of {} failed before the rollout; {} like them in it are "
                                       "not counted",
                                       c.baseline_lost, c.baseline_sent, c.subtracted));
  std::vector<std::string> near;
  for (const witness::NearMiss& each : c.near_misses)
    near.push_back(safe(fmt::format("{} +{}", each.what, each.count)));
  body += pair("near misses", near.empty() ? "none" : join(near, "; "));
  body += "</dl>\n";
  if (!c.losses.empty()) body += loss_table(c);
  if (!c.duplicates.empty()) {
    std::vector<std::vector<std::string>> rows;
    for (const witness::Duplicate& each : c.duplicates)
      rows.push_back({safe(each.id), std::to_string(each.times), safe(join(each.where, ", "))});
    body += table("POSTs that ran more than once", {"Id", "Times", "Where"}, rows);
  }
  return section("certificate", "Certificate", body + counter_table(c));
}

// Folded away where all of it passes, but for the first instance: that is how one looks.
std::string checklist_part(const ReportInput& input) {
  std::string body = "<p>Checks before anything was touched.</p>\n";
  bool first = true;
  for (const core::Instance& instance : input.state.instances) {
    if (!instance.report || instance.report->checks.empty()) continue;
    std::vector<std::vector<std::string>> rows;
    std::size_t passed = 0;
    for (const core::Check& check : instance.report->checks) {
      std::string evidence = safe(check.evidence);
      if (check.status != core::CheckStatus::pass && !check.help.empty())
        evidence += " <span class=\"dim\">(" + safe(check.help) + ")</span>";
      rows.push_back({safe(check.name), sign_of(check.status), evidence});
      passed += check.status == core::CheckStatus::pass ? 1 : 0;
    }
    const std::string head =
        fmt::format("{}: {} of {} pass", instance.plan.id.value, passed, rows.size());
    body += fmt::format("<details{}><summary>{}</summary>",
                        first || passed < rows.size() ? " open" : "", safe(head));
    body += table("", {"Check", "Result", "Evidence"}, rows) + "</details>\n";
    first = false;
  }
  if (first) body = "<p>No instance was checked.</p>\n";
  return section("checklist", "Checklist", body);
}

std::string diff_part(const ReportInput& input) {
  std::map<std::string, std::vector<std::string>> same;  // diff -> instances
  for (const core::Instance& instance : input.state.instances)
    if (instance.report && !instance.report->diff.empty())
      same[instance.report->diff].push_back(instance.plan.id.value);
  std::string body;
  for (const auto& [diff, instances] : same)
    body += "<h3>" + safe(join(instances, ", ")) + "</h3>\n" + diff_html(diff);
  if (body.empty()) body = "<p>No configuration was changed.</p>\n";
  return section("diff", "Change", body);
}

}  // namespace hitless::report
