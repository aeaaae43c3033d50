#include "witness/session.hpp"

#include "base/text.hpp"

namespace hitless::witness {

Session::Session(std::vector<NamedProber> probers, std::vector<std::string> instances,
                 CertificateRules rules) {
  input_.instances = std::move(instances);
  input_.rules = rules;
  for (NamedProber& each : probers)
    probers_.push_back(
        {each.name, each.config.rate_per_s, std::make_unique<Prober>(std::move(each.config))});
}

void Session::start() {
  for (Running& running : probers_)
    if (Status ok = running.prober->start(); !ok)
      problems_.push_back(running.name + " did not start: " + describe(ok.error()));
}

void Session::enter(Window window) {
  for (Running& running : probers_) running.prober->enter(window);
}

void Session::saw(const core::Event& event) {
  const auto* step = std::get_if<core::Advanced>(&event);
  if (step == nullptr) return;
  for (Running& running : probers_) running.prober->phase(step->instance.value, step->to);
}

CounterSeries& Session::series_of(const CounterSource& source) {
  for (CounterSeries& series : input_.counters)
    if (series.kind == source.kind && series.name == source.name) return series;
  CounterSeries series;
  series.kind = source.kind;
  series.name = source.name;
  series.sees_all_probes = source.sees_all_probes;
  series.required = source.required;
  series.instances = source.instances;
  input_.counters.push_back(std::move(series));
  return input_.counters.back();
}

void Session::add(const CounterSource& source, CounterSample sample) {
  add_sample(&series_of(source), std::move(sample));
}

void Session::expect(const CounterSource& source) {
  series_of(source);
}

std::vector<std::string> Session::id_prefixes() const {
  std::vector<std::string> all;
  for (const Running& running : probers_) all.push_back(running.prober->snapshot().id_prefix);
  return all;
}

void Session::runs_on(std::string machine) {
  input_.own_machine = std::move(machine);
}

void Session::executed(Executions executions) {
  input_.executions = std::move(executions);
}

std::vector<ProberSnapshot> Session::snapshots() const {
  std::vector<ProberSnapshot> all;
  for (const Running& running : probers_) all.push_back(running.prober->snapshot());
  return all;
}

std::string Session::line() const {
  std::int64_t sent = 0, lost = 0, missed = 0;
  std::optional<std::int64_t> p95;
  for (const ProberSnapshot& seen : snapshots()) {
    sent += seen.sent;
    lost += seen.lost;
    missed += seen.not_sent + seen.unfinished;
    if (seen.p95_us) p95 = std::max(p95.value_or(0), *seen.p95_us);
  }
  std::string text = fmt::format("{} probes, {} lost", sent, lost);
  if (p95) text += fmt::format("    p95 {:.1f}ms", static_cast<double>(*p95) / 1000.0);
  if (missed > 0) text += fmt::format("    {} could not be sent or finished", missed);
  for (const std::string& problem : problems_) text += "    " + problem;
  return text;
}

Watched Session::finish() {
  Watched out;
  for (Running& running : probers_) running.prober->request_stop();
  for (Running& running : probers_)
    out.probers.push_back({running.name, running.rate_per_s, running.prober->stop()});
  input_.probers = out.probers;
  out.certificate = certify(input_);
  // Who did not start sent nothing, which is a doubt already; the cause comes first.
  for (auto problem = problems_.rbegin(); problem != problems_.rend(); ++problem)
    out.certificate.reasons.insert(out.certificate.reasons.begin(), escape_for_terminal(*problem));
  return out;
}

}  // namespace hitless::witness
