// metrics_query: numbers that our own readers know, as they are now, and as rollouts and
// `watch --triggers` wrote them down. There is no monitoring system behind it.
#include <algorithm>
#include <boost/json/array.hpp>
#include <tuple>

#include "agent/tools/schema.hpp"
#include "agent/triggers.hpp"
#include "cli/hands.hpp"
#include "cli/probing.hpp"
#include "cli/tools.hpp"
#include "cli/unit_memory.hpp"
#include "engine/traffic_ops.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

namespace json = boost::json;
using agent::Answer;

constexpr int kLookBack = 50;  // rollouts
constexpr std::size_t kMaxShown = 300;
constexpr std::size_t kMaxHistoryBytes = 16u << 20;

struct Sample {
  TimeMs at = 0;
  std::string instance, where;  // where: pool and node; empty: all of them together
  std::optional<std::int64_t> value;
  std::string from = "now";  // or the rollout, or "watch"
  std::string note;          // why there is no value
};
using Samples = std::vector<Sample>;

Task<void> targets_now(const engine::ServiceParts* parts, std::string metric, Samples* out) {
  const engine::FullReading reading = co_await engine::read_traffic(parts);
  for (const core::TargetReport& report : reading.reports) {
    const auto value = metric == "lb_in_flight"  ? report.in_flight
                       : metric == "lb_requests" ? report.requests
                                                 : report.errors;
    out->push_back({wall_now_ms(), report.instance.value, report.pool + "@" + report.node, value,
                    "now", report.note});
  }
}

Task<void> counters_into(ports::Traffic* pool, std::vector<ports::PoolCounters>* out) {
  *out = co_await pool->counters();
}

Task<void> pools_now(const engine::ServiceParts* parts, std::string metric, Samples* out) {
  std::vector<std::vector<ports::PoolCounters>> counters(parts->pools.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < parts->pools.size(); ++i)
    if (parts->pools[i]->has_counters())
      tasks.push_back(counters_into(parts->pools[i], &counters[i]));
  co_await join_all(std::move(tasks));
  for (std::size_t i = 0; i < counters.size(); ++i) {
    for (const ports::PoolCounters& each : counters[i])
      out->push_back({wall_now_ms(), "", parts->pools[i]->describe() + ", " + each.node,
                      metric == "lb_queue" ? each.queued : each.responses_5xx, "now",
                      each.problem});
  }
}

Task<void> sockets_into(const engine::InstanceParts* instance, Sample* out) {
  auto counted = co_await engine::count_sockets(instance);
  if (counted) out->value = *counted;
  if (!counted) out->note = describe(counted.error());
}

Task<void> memory_into(const engine::InstanceParts* instance, std::string unit, Sample* out) {
  auto kib = co_await unit_memory_kib(instance->host, std::move(unit));
  if (kib) out->value = *kib;
  if (!kib) out->note = describe(kib.error());
}

Task<void> latency_into(const engine::InstanceParts* instance, Sample* out) {
  core::HealthReading reading;
  co_await probe_into(instance->health, &reading);
  if (reading.status == core::HealthStatus::pass) out->value = reading.latency_us;
  if (!out->value)
    out->note = instance->health == nullptr ? "no health check is configured" : reading.evidence;
}

Task<void> instances_now(const Wiring* wiring, std::string metric, Samples* out) {
  const engine::Instances& instances = wiring->parts.instances;
  const std::size_t first = out->size();
  for (const engine::InstanceParts& each : instances)
    out->push_back({wall_now_ms(), each.id.value, "", {}, "now", ""});
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < instances.size(); ++i) {
    Sample* sample = &(*out)[first + i];
    if (metric == "host_sockets") tasks.push_back(sockets_into(&instances[i], sample));
    if (metric == "unit_memory") tasks.push_back(memory_into(&instances[i], wiring->unit, sample));
    if (metric == "health_latency") tasks.push_back(latency_into(&instances[i], sample));
  }
  co_await join_all(std::move(tasks));
}

std::optional<std::int64_t> of_reading(const core::TargetReading& reading,
                                       const std::string& metric) {
  if (metric == "lb_in_flight") return reading.in_flight;
  if (metric == "lb_requests") return reading.requests;
  if (metric == "lb_errors") return reading.errors;
  if (metric == "host_sockets") return reading.host_connections;
  return std::nullopt;
}

void add_entry(const core::Entry& entry, const std::string& metric, Samples& out) {
  if (const auto* seen = std::get_if<core::TrafficSeen>(&entry.event)) {
    for (const auto& [id, reading] : seen->readings)
      if (const auto value = of_reading(reading, metric))
        out.push_back({entry.at, id.value, "", value, entry.rollout, ""});
  }
  const auto* health = std::get_if<core::HealthSeen>(&entry.event);
  if (health != nullptr && metric == "health_latency" &&
      health->reading.status == core::HealthStatus::pass)
    out.push_back(
        {entry.at, health->instance.value, "", health->reading.latency_us, entry.rollout, ""});
}

// What rollouts of the service saw, while they looked.
void from_journal(const App& app, const std::string& service, const std::string& metric,
                  TimeMs since, Samples& out) {
  auto journal = open_journal(app, false);
  auto rows = journal ? (*journal)->rollouts(kLookBack) : std::vector<ports::RolloutRow>{};
  if (!rows) return;
  for (const ports::RolloutRow& row : *rows) {
    if (row.service != service || (row.ended_at != 0 && row.ended_at < since)) continue;
    auto entries = (*journal)->read(row.rollout);
    if (!entries) continue;
    for (const core::Entry& entry : *entries)
      if (entry.at >= since) add_entry(entry, metric, out);
  }
}

// What `watch --triggers` saw of memory, of the process that runs now.
void from_watch(const App& app, const Wiring& wiring, TimeMs since, Samples& out) {
  const auto text = read_if_there(state_dir(app) + "/memory-histories", kMaxHistoryBytes);
  if (!text || !*text) return;
  for (const agent::NamedHistory& each : agent::histories_from_text(**text)) {
    if (wiring.parts.instances.find(core::InstanceId{each.instance}) == nullptr) continue;
    for (const agent::MemorySample& sample : each.history.samples)
      if (sample.at >= since)
        out.push_back({sample.at, each.instance, "", sample.kib, "watch", ""});
  }
}

const char* unit_of(const std::string& metric) {
  if (metric == "unit_memory") return "KiB, anonymous";
  if (metric == "health_latency") return "microseconds";
  if (metric == "host_sockets") return "established connections";
  if (metric == "lb_in_flight" || metric == "lb_queue") return "now";
  return "since the load balancer's process began";
}

json::array shown(const Samples& samples) {
  json::array list;
  for (const Sample& each : samples)
    list.push_back(json::object{{"at", format_timestamp(each.at)},
                                {"instance", each.instance},
                                {"where", each.where},
                                {"value", each.value ? json::value(*each.value) : json::value()},
                                {"from", each.from},
                                {"note", each.note}});
  return list;
}

std::string as_evidence(const std::string& metric, const Samples& samples) {
  std::string text;
  for (const Sample& each : samples)
    text += metric + " " + each.instance + (each.where.empty() ? "" : " " + each.where) + " " +
            format_timestamp(each.at) + " " +
            (each.value ? std::to_string(*each.value) : "unknown: " + each.note) + " (" +
            each.from + ")\n";
  return text;
}

Task<Answer> metrics_query(ToolWorld* world, json::object arguments) {
  const std::string metric = text_of(arguments, "metric");
  auto reached = co_await reach(world, text_of(arguments, "service"));
  if (!reached) co_return tl::unexpected<Error>(reached.error());
  const Wiring& wiring = *reached->wiring;
  const std::string host = text_of(arguments, "host");
  std::string only;
  if (!host.empty()) {
    auto instance = instance_on(wiring, host);
    if (!instance) co_return tl::unexpected<Error>(instance.error());
    only = (*instance)->id.value;
  }
  const bool of_pools = metric == "lb_queue" || metric == "lb_responses_5xx";
  if (of_pools && !only.empty())
    co_return fail(ErrorCode::invalid, metric + " is counted for a whole pool: leave host out");
  const std::int64_t window = number_of(arguments, "window_s", 0);
  Samples samples;
  if (window > 0) {
    const TimeMs since = wall_now_ms() - window * 1'000;
    if (metric == "unit_memory")
      from_watch(world->app, wiring, since, samples);
    else if (!of_pools)
      from_journal(world->app, wiring.parts.name, metric, since, samples);
  }
  const bool history = !samples.empty();
  if (of_pools)
    co_await pools_now(&wiring.parts, metric, &samples);
  else if (metric.starts_with("lb_"))
    co_await targets_now(&wiring.parts, metric, &samples);
  else
    co_await instances_now(&wiring, metric, &samples);
  if (!only.empty())
    std::erase_if(samples, [&](const Sample& each) { return each.instance != only; });
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::tie(a.at, a.instance, a.where) < std::tie(b.at, b.instance, b.where);
  });
  const bool cut = samples.size() > kMaxShown;
  if (cut) samples.erase(samples.begin(), samples.end() - kMaxShown);
  co_return json::object{{"service", wiring.parts.name},
                         {"metric", metric},
                         {"unit", unit_of(metric)},
                         {"history", history ? "only while a rollout or `watch --triggers` looked"
                                             : "none in this window: sampled now"},
                         {"cut", cut},
                         {"samples", shown(samples)},
                         {"evidence_id", remember(*world, agent::Source::metrics, host,
                                                  as_evidence(metric, samples))}};
}

}  // namespace

void add_metric_tools(agent::Registry& registry, ToolWorld* world) {
  registry.add(
      {"metrics_query",
       "Numbers of a service",
       "One number of each instance, load balancer target or pool: sampled now, with what rollouts "
       "and `watch --triggers` wrote down in the last window_s seconds. No other history exists.",
       agent::Level::read,
       {true, false, true, true},
       agent::schema_of(R"({"type":"object","additionalProperties":false,
         "required":["service","metric"],"properties":{
         "service":{"type":"string","minLength":1,"maxLength":128},
         "metric":{"type":"string","enum":["lb_in_flight","lb_requests","lb_errors","lb_queue",
           "lb_responses_5xx","host_sockets","unit_memory","health_latency"]},
         "host":{"type":"string","minLength":1,"maxLength":253},
         "window_s":{"type":"integer","minimum":1,"maximum":3600}}})"),
       agent::schema_of(R"({"type":"object","additionalProperties":false,"properties":{
         "service":{"type":"string"},"metric":{"type":"string"},"unit":{"type":"string"},
         "history":{"type":"string"},"cut":{"type":"boolean"},"evidence_id":{"type":"string"},
         "samples":{"type":"array","items":{"type":"object","additionalProperties":false,
           "properties":{"at":{"type":"string"},"instance":{"type":"string"},
           "where":{"type":"string"},"value":{"type":["integer","null"]},
           "from":{"type":"string"},"note":{"type":"string"}}}}}})"),
       [world](json::object arguments, agent::Caller) {
         return metrics_query(world, std::move(arguments));
       }});
}

}  // namespace hitless::cli
