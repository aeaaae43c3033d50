#include "cli/clients.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "fleet/endpoints.hpp"
#include "witness/timeline.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kStepMs = 50;
constexpr DurationMs kLateMs = 500;  // a baseline may take so much longer
constexpr DurationMs kExecutionsDeadlineMs = 5'000;

// "http://host:port/path" as a prober wants it; the fleet file has been checked already.
void take_url(const std::string& url, witness::ProberConfig* config) {
  config->tls = url.rfind("https://", 0) == 0;
  config->port = config->tls ? 443 : 80;
  std::string rest = url.substr(url.find("://") + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  const std::size_t colon = rest.rfind(':');
  const bool has_port = colon != std::string::npos && rest.find(']', colon) == std::string::npos;
  config->address = has_port ? rest.substr(0, colon) : rest;
  if (has_port) {
    unsigned port = 0;
    std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
    config->port = static_cast<std::uint16_t>(port);
  }
  if (config->address.size() > 2 && config->address.front() == '[')
    config->address = config->address.substr(1, config->address.size() - 2);
}

// "shop.example" of "shop.example:8443"
std::string without_port(const std::string& host) {
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  return has_port ? host.substr(0, colon) : host;
}

witness::ProberConfig config_of(const fleet::Prober& from) {
  witness::ProberConfig config;
  take_url(from.url, &config);
  config.host_header = from.host;
  config.tls_name = without_port(from.host);
  config.ca_file = from.ca_file.value_or("");
  config.verify_tls = from.verify_tls;
  config.rate_per_s = from.rate;
  config.paths.clear();
  for (const fleet::ProberPath& path : from.paths)
    config.paths.push_back({path.path, path.weight, path.expect});
  config.weights = {from.mix.get_new, from.mix.get_kept, from.mix.post_new, from.mix.post_kept,
                    from.mix.websocket};
  config.post_path = from.post_path;
  config.ws_path = from.websocket_path;
  config.post_body_bytes = static_cast<std::size_t>(from.post_bytes);
  config.server_header = from.server_header;
  config.id_header = from.id_header;
  config.timeout_ms = from.timeout_ms;
  config.kept_connections = static_cast<std::size_t>(from.kept_connections);
  return config;
}

bool watches(const fleet::Prober& prober, const std::string& service) {
  return prober.services.empty() || std::find(prober.services.begin(), prober.services.end(),
                                              service) != prober.services.end();
}

// As short as gives the requests that a certificate wants.
DurationMs baseline_of(const fleet::Prober& prober) {
  const std::int64_t wanted = witness::CertificateRules{}.min_baseline;
  return prober.baseline_ms.value_or((wanted * 1000 + prober.rate - 1) / prober.rate);
}

std::vector<ports::Traffic*> pools_of(const Wiring& wiring) {
  std::vector<ports::Traffic*> pools;
  for (const auto& pool : wiring.pools) pools.push_back(pool.get());
  return pools;
}

// Hosts of the service. Those that are one machine are found by what they answer.
std::vector<CountedHost> hosts_of(const Wiring& wiring) {
  std::vector<CountedHost> hosts;
  for (const engine::InstanceParts& instance : wiring.parts.instances) {
    if (instance.host == nullptr) continue;
    auto same = std::ranges::find(hosts, instance.host, &CountedHost::host);
    if (same == hosts.end()) same = hosts.insert(hosts.end(), {instance.host, {}});
    same->instances.push_back(instance.id.value);
  }
  return hosts;
}

void add_executions(const fleet::Prober& prober, const fleet::Service& service,
                    std::vector<witness::ExecutionsSource>* all) {
  if (prober.executions_url.empty() || prober.mix.post_new + prober.mix.post_kept == 0) return;
  for (const fleet::Instance& instance : service.instances) {
    witness::ExecutionsSource source;
    source.name = instance.id;
    source.url =
        fleet::expand_endpoint(prober.executions_url, fleet::placeholders_of(service, instance));
    source.ca_file = prober.ca_file.value_or("");
    source.verify_tls = prober.verify_tls;
    const auto same = [&](const auto& other) { return other.url == source.url; };
    if (std::none_of(all->begin(), all->end(), same)) all->push_back(std::move(source));
  }
}

}  // namespace

Clients::Clients(const fleet::Fleet& fleet, const Wiring& wiring) {
  const fleet::Service* service = fleet.service(wiring.parts.name);
  std::vector<witness::NamedProber> probers;
  for (const fleet::Prober& prober : fleet.probers) {
    if (!watches(prober, wiring.parts.name)) continue;
    probers.push_back({prober.url, config_of(prober)});
    baseline_ms_ = std::max(baseline_ms_, baseline_of(prober));
    soak_ms_ = std::max(soak_ms_, prober.soak_ms);
    if (service != nullptr) add_executions(prober, *service, &executions_);
  }
  if (probers.empty()) return;
  std::vector<std::string> instances;
  for (const engine::InstanceParts& each : wiring.parts.instances)
    instances.push_back(each.id.value);
  probers_ = static_cast<std::int64_t>(probers.size());
  session_ = std::make_unique<witness::Session>(std::move(probers), std::move(instances));
  session_->runs_on(witness::this_machine());
  counters_ = std::make_unique<CounterLoops>(session_.get(), pools_of(wiring), hosts_of(wiring));
}

Task<void> Clients::start() {
  session_->start();
  co_await counters_->start();
}

bool Clients::enough() const {
  const auto seen = session_->snapshots();
  const std::int64_t wanted = witness::CertificateRules{}.min_baseline;
  return counters_->all_asked() && std::all_of(seen.begin(), seen.end(), [&](const auto& prober) {
           return prober.started_ms == 0 || prober.sent > wanted;
         });
}

Task<void> Clients::baseline() {
  if (!configured()) co_return;
  co_await start();
  const TimeMs begun = wall_now_ms();
  const auto waited = [&] { return wall_now_ms() - begun; };
  while (waited() < baseline_ms_ && !hurried_) co_await sleep_for(kStepMs);
  while (waited() < baseline_ms_ + kLateMs && !hurried_ && !enough()) co_await sleep_for(kStepMs);
}

// There is no baseline in mid-rollout: what fails now may be the rollout's doing.
Task<void> Clients::take_over(core::State state, TimeMs last_seen) {
  if (!configured()) co_return;
  gap_ = fmt::format("nobody watched from {} to {}: the controller was cut off",
                     format_timestamp(state.started_at > 0 ? state.started_at : last_seen),
                     format_timestamp(wall_now_ms()));
  co_await start();
  session_->enter(witness::Window::rollout);
  touched_ = true;
  for (const core::Instance& instance : state.instances) {
    core::Advanced step;
    step.instance = instance.plan.id;
    step.to = core::name_of(instance.phase);
    session_->saw(step);
  }
}

void Clients::saw(const core::Event& event) {
  if (!configured()) return;
  const auto* step = std::get_if<core::Advanced>(&event);
  if (step == nullptr) return;
  // Its first effect comes only after this entry, so until now nothing was touched.
  if (!touched_ && witness::in_work(step->to)) {
    session_->enter(witness::Window::rollout);
    touched_ = true;
  }
  session_->saw(event);
  // Drained: before it is stopped. Verifying: it was stopped, and is not back yet.
  if (step->to == core::PhaseName::drained || step->to == core::PhaseName::verifying)
    counters_->look_at(step->instance.value);
}

Task<void> Clients::soak() {
  if (!configured() || !touched_) co_return;
  session_->enter(witness::Window::soak);
  const TimeMs begun = wall_now_ms();
  while (wall_now_ms() - begun < soak_ms_ && !hurried_) co_await sleep_for(kStepMs);
}

std::string Clients::line() const {
  return configured() ? session_->line() : std::string();
}

Task<witness::Executions> Clients::ask_all() {
  witness::Executions all;
  for (const std::string& prefix : session_->id_prefixes()) {
    witness::Executions some =
        co_await witness::ask_executions(executions_, prefix, kExecutionsDeadlineMs);
    all.times.merge(some.times);
    all.where.merge(some.where);
    all.problems.insert(all.problems.end(), some.problems.begin(), some.problems.end());
  }
  co_return all;
}

Task<witness::Watched> Clients::finish() {
  witness::Watched out;
  if (!configured()) {
    out.certificate.reasons = {"no prober is configured"};
    co_return out;
  }
  session_->enter(witness::Window::after);
  co_await counters_->finish(late_ms() > 0);
  if (!executions_.empty() && touched_) session_->executed(co_await ask_all());
  out = session_->finish();
  if (!touched_) {  // then there is nothing to say about it
    out.certificate = {};
    out.certificate.reasons = {"nothing was touched"};
  }
  if (gap_.empty()) co_return out;
  if (out.certificate.verdict == witness::Verdict::confirmed) {
    out.certificate.verdict = witness::Verdict::unknown;
    out.certificate.reasons.clear();
  }
  out.certificate.reasons.insert(out.certificate.reasons.begin(), gap_);
  co_return out;
}

}  // namespace hitless::cli
