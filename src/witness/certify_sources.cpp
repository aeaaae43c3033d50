// Whether the sources can be believed, and whether they agree.
#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "witness/certify_parts.hpp"
#include "witness/noise.hpp"

namespace hitless::witness {

namespace {

std::string seconds(DurationMs ms) {
  return format_duration(std::max<DurationMs>(ms, 0));
}

void judge_coverage(const CertificateRules& rules, const ProberRecord& prober,
                    std::vector<std::string>* doubts) {
  auto windows = by_window(prober.seen.marks, prober.seen.now);
  Stretch whole = windows[Window::rollout];
  const Stretch& soak = windows[Window::soak];
  whole.sent += soak.sent;
  whole.ok += soak.ok;
  whole.answered_4xx += soak.answered_4xx;
  whole.longest_gap_ms = std::max(whole.longest_gap_ms, soak.longest_gap_ms);
  const Stretch& baseline = windows[Window::baseline];
  const auto doubt = [&](std::string what) { doubts->push_back(prober.name + ": " + what); };

  if (baseline.sent > 0 && baseline.ok == 0)
    doubt("no request was answered well before the rollout: it never worked");
  if (baseline.sent < rules.min_baseline)
    doubt(fmt::format("only {} requests before the rollout, {} are needed", baseline.sent,
                      rules.min_baseline));
  if (whole.sent < rules.min_rollout)
    doubt(fmt::format("only {} requests in the rollout, {} are needed", whole.sent,
                      rules.min_rollout));
  const auto gap =
      std::max(rules.longest_gap_ms, static_cast<DurationMs>(10'000 / prober.rate_per_s));
  if (whole.longest_gap_ms > gap)
    doubt("sent nothing for " + seconds(whole.longest_gap_ms) + " in the rollout");
  for (const auto& [instance, sent] : sent_by_instance(prober.seen.marks, prober.seen.now))
    if (sent < rules.min_per_instance)
      doubt(fmt::format("only {} requests while {} was in work, {} are needed", sent,
                        escape_for_terminal(instance), rules.min_per_instance));
  const auto answered = static_cast<double>(whole.ok + whole.answered_4xx);
  if (static_cast<double>(whole.answered_4xx) > rules.most_4xx * answered) {
    doubt(fmt::format("{} of {} answers were 4xx: such a path proves nothing", whole.answered_4xx,
                      whole.ok + whole.answered_4xx));
  } else if (more_than_before({baseline.answered_4xx, baseline.sent},
                              {whole.answered_4xx, whole.sent}, rules.false_alarm)) {
    doubt(fmt::format("{} answers 4xx, more than before", whole.answered_4xx));
  }
}

}  // namespace

void judge_probers(const CertificateInput& input, const Certificate& so_far, Findings* findings) {
  for (const ProberRecord& prober : input.probers) {
    const ProberSnapshot& seen = prober.seen;
    const auto doubt = [&](std::string what) {
      findings->doubts.push_back(prober.name + ": " + what);
    };
    if (seen.stopped_ms == 0 || seen.in_flight > 0) doubt("is still running");
    if (seen.sent == 0) doubt("sent nothing");
    if (seen.not_sent > 0)
      doubt(fmt::format("{} requests were due and not sent: {}", seen.not_sent,
                        escape_for_terminal(seen.not_sent_why)));
    if (seen.unfinished > 0)
      doubt(fmt::format("{} requests were given up unfinished", seen.unfinished));
    if (seen.ok == 0 && seen.sent > 0) doubt("no request was ever answered well");
    if (so_far.to_ms > 0) judge_coverage(input.rules, prober, &findings->doubts);
  }
}

namespace {

// The rollout lies between these two samples; first: where its baseline begins.
struct Samples {
  const CounterSample *first = nullptr, *before = nullptr, *after = nullptr;
  std::string problem;
};

Samples span_of(const CounterSeries& series, TimeMs from, TimeMs to) {
  Samples span;
  for (const CounterSample& sample : series.samples) {
    if (std::max(sample.at_ms, sample.done_ms) <= from) span.before = &sample;
    if (sample.at_ms >= to) span.after = &sample;
  }
  if (series.samples.empty()) {
    span.problem = "was never read";
    if (!series.last_problem.empty())
      span.problem += ": " + escape_for_terminal(series.last_problem);
  } else if (span.before == nullptr) {
    span.problem = "was not read before the rollout began";
  } else if (span.after == nullptr) {
    span.problem = "is stale: last read " + seconds(to - series.samples.back().at_ms) +
                   " before the rollout ended";
  }
  if (!span.problem.empty()) return span;
  span.first = &series.samples.front();
  for (const TimeMs reset : series.reset_at) {
    if (reset > span.before->at_ms && reset <= span.after->at_ms)
      span.problem = "began to count anew in the rollout (" + format_clock(reset) + ")";
    if (reset > span.before->at_ms) continue;
    for (const CounterSample& sample : series.samples)
      if (sample.at_ms <= reset) span.first = &sample;
  }
  return span;
}

std::optional<std::int64_t> rise(const CounterSample* from, const CounterSample* to,
                                 const std::string& name) {
  if (from == nullptr || to == nullptr) return std::nullopt;
  const auto a = from->values.find(name), b = to->values.find(name);
  if (a == from->values.end() || b == to->values.end()) return std::nullopt;
  return b->second - a->second;
}

struct Seen {  // of one series in both windows
  const CounterSeries* series = nullptr;
  Samples span;
};

std::int64_t exposure(const Seen& seen, bool baseline) {
  const CounterSample* from = baseline ? seen.span.first : seen.span.before;
  const CounterSample* to = baseline ? seen.span.before : seen.span.after;
  if (seen.series->kind == SourceKind::load_balancer)
    if (const auto requests = rise(from, to, "requests")) return *requests;
  return to->at_ms - from->at_ms;
}

// A program that is stopped while it has not read a request yet leaves one of these.
constexpr std::array<std::string_view, 2> kCutOff = {"TCPAbortOnClose", "TCPAbortOnData"};

// How far it rose while the host's one instance was out of rotation with nothing in flight: load
// balancers and hitless check its health also then, and one check of each may be under way when it
// stops. Seen between two samples that lie wholly in such a time; what is not, is not left out.
std::int64_t checks_cut_off(const CertificateInput& input, const CounterSeries& series,
                            const std::string& counter) {
  if (series.kind != SourceKind::host || series.instances.size() != 1 || input.probers.empty() ||
      std::find(kCutOff.begin(), kCutOff.end(), counter) == kCutOff.end())
    return 0;
  std::int64_t checkers = 1, all = 0;
  for (const CounterSeries& each : input.counters)
    checkers += each.kind == SourceKind::load_balancer ? 1 : 0;
  const auto& marks = input.probers.front().seen.marks;
  for (const auto& [from, to] : drained_spans(marks, series.instances.front())) {
    const CounterSample *first = nullptr, *last = nullptr;
    for (const CounterSample& sample : series.samples) {
      if (sample.at_ms < from || std::max(sample.at_ms, sample.done_ms) > to) continue;
      if (first == nullptr) first = &sample;
      last = &sample;
    }
    all += std::min(rise(first, last, counter).value_or(0), checkers);
  }
  return all;
}

void add_rows(const Seen& seen, const CertificateInput& input, double false_alarm,
              Certificate* out) {
  for (const auto& [name, value] : seen.span.after->values) {
    CounterRow row;
    row.kind = seen.series->kind;
    row.source = seen.series->name;
    row.counter = name;
    row.sense = sense_of(row.kind, name);
    row.baseline = rise(seen.span.first, seen.span.before, name);
    row.rollout = rise(seen.span.before, seen.span.after, name);
    const std::int64_t checks = checks_cut_off(input, *seen.series, name);
    if (row.sense != CounterSense::work && row.rollout)
      row.more = more_than_before({row.baseline.value_or(0), exposure(seen, true)},
                                  {*row.rollout - checks, exposure(seen, false)}, false_alarm);
    if (checks > 0)
      out->remarks.push_back(fmt::format(
          "{}: {} +{} while {} was out of rotation with nothing in flight: health checks that its "
          "stop cut off, no clients",
          escape_for_terminal(row.source), name, checks,
          escape_for_terminal(seen.series->instances.front())));
    if (row.sense == CounterSense::near_miss && row.rollout.value_or(0) > 0)
      out->near_misses.push_back({row.source + ": " + row.counter, *row.rollout});
    out->counters.push_back(std::move(row));
  }
}

// Every request of ours that was answered went through these pools, so they counted it.
void compare_requests(const CertificateInput& input, const std::vector<Seen>& usable,
                      Findings* findings) {
  std::int64_t counted = 0, ours = 0;
  std::size_t all = 0, asked = 0;
  for (const CounterSeries& series : input.counters) all += series.sees_all_probes ? 1 : 0;
  for (const Seen& seen : usable) {
    if (!seen.series->sees_all_probes) continue;
    const auto requests = rise(seen.span.before, seen.span.after, "requests");
    if (!requests) continue;
    ++asked;
    counted += *requests;
  }
  if (asked == 0 || asked < all) return;  // the missing one has its own reason
  for (const ProberRecord& prober : input.probers) {
    auto windows = by_window(prober.seen.marks, prober.seen.now);
    ours += windows[Window::rollout].http_answers + windows[Window::soak].http_answers;
    // What was on its way when the rollout began was counted before it.
    for (const Mark& mark : prober.seen.marks)
      if (mark.window == Window::rollout) ours -= mark.in_flight;
  }
  if (counted < ours)
    findings->doubts.push_back(fmt::format(
        "sources disagree: {} requests were answered, the load balancer counted {}: its counters "
        "stand still, or the prober goes another way",
        ours, counted));
}

// Counters of a host are of all that its kernel does. On the machine of the prober they count the
// prober too, and on one that is several hosts of the service nothing tells which one it was: there
// they say nothing, neither for nor against. A host whose machine is not known is judged as usual.
std::vector<const CounterSeries*> that_apply(const CertificateInput& input, Certificate* out) {
  std::map<std::string, std::vector<std::string>> names;
  for (const CounterSeries& series : input.counters)
    if (series.kind == SourceKind::host && !series.machine.empty())
      names[series.machine].push_back(series.name);
  for (const auto& [machine, hosts] : names) {
    if (machine == input.own_machine)
      out->remarks.push_back("host counters of " + join(hosts, ", ") +
                             " left out: this program runs on the same machine, so they count all "
                             "that happens on it");
    else if (hosts.size() > 1)
      out->remarks.push_back("host counters of " + join(hosts, ", ") +
                             " left out: they are one machine, and what it counts cannot be told "
                             "apart");
  }
  std::vector<const CounterSeries*> apply;
  for (const CounterSeries& series : input.counters) {
    const auto same = names.find(series.kind == SourceKind::host ? series.machine : "");
    const bool shared =
        same != names.end() && (same->first == input.own_machine || same->second.size() > 1);
    if (!shared) apply.push_back(&series);
  }
  return apply;
}

std::string words_for(const CounterRow& row) {
  return fmt::format("{}: {} +{} in the rollout", escape_for_terminal(row.source), row.counter,
                     row.rollout.value_or(0));
}

}  // namespace

void judge_counters(const CertificateInput& input, Certificate* out, Findings* findings) {
  if (out->to_ms == 0) return;
  std::vector<Seen> usable;
  bool any_lb = false;  // read, or a doubt already
  for (const CounterSeries* series : that_apply(input, out)) {
    Seen seen{series, span_of(*series, out->from_ms, out->to_ms)};
    const bool read = seen.span.problem.empty();
    any_lb |= series->kind == SourceKind::load_balancer && (read || series->required);
    if (read) {
      usable.push_back(std::move(seen));
    } else if (series->required) {
      findings->doubts.push_back(escape_for_terminal(series->name) + " " + seen.span.problem);
    }
  }
  if (!any_lb) findings->doubts.emplace_back("no counters of a load balancer were read");
  const double tests = static_cast<double>(std::max<std::size_t>(1, usable.size())) * 6;
  for (const Seen& seen : usable) add_rows(seen, input, input.rules.false_alarm / tests, out);
  compare_requests(input, usable, findings);
  if (!findings->refuting.empty()) return;  // then it is no wonder that they rose
  for (const CounterRow& row : out->counters)
    if (row.more && row.sense == CounterSense::failure)
      findings->doubts.push_back("sources disagree: no request of ours was lost, but " +
                                 words_for(row));
}

}  // namespace hitless::witness
