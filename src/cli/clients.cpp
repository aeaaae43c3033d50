#include "cli/clients.hpp"

#include <fmt/format.h>

#include <charconv>

namespace hitless::cli {
namespace {

// "http://host:port/path" as a prober wants it; the fleet file has been checked already.
witness::ProberConfig config_of(const fleet::Prober& from) {
  witness::ProberConfig config;
  config.rate_per_s = from.rate;
  std::string rest = from.url.substr(from.url.find("://") + 3);
  const std::size_t path = rest.find('/');
  config.paths = {{path == std::string::npos ? "/" : rest.substr(path), 1}};
  rest = rest.substr(0, path);
  const std::size_t colon = rest.rfind(':');
  const bool has_port = colon != std::string::npos && rest.find(']', colon) == std::string::npos;
  config.address = has_port ? rest.substr(0, colon) : rest;
  if (has_port) {
    unsigned port = 0;
    std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
    config.port = static_cast<std::uint16_t>(port);
  }
  if (config.address.size() > 2 && config.address.front() == '[')
    config.address = config.address.substr(1, config.address.size() - 2);
  return config;
}

// Someone's production path: only reads.
witness::ProberConfig reads_only(witness::ProberConfig config) {
  config.weights = {1, 1, 0, 0};
  return config;
}

std::string describe(const std::vector<witness::ProberSnapshot>& all, const std::string& problem) {
  std::int64_t sent = 0, lost = 0, not_sent = 0;
  std::optional<std::int64_t> p95;
  for (const auto& each : all) {
    sent += each.sent;
    lost += each.lost;
    not_sent += each.not_sent + each.unfinished;
    if (each.p95_us && (!p95 || *each.p95_us > *p95)) p95 = each.p95_us;
  }
  if (all.empty()) return problem;
  std::string text = fmt::format("{} probes, {} lost", sent, lost);
  if (p95) text += fmt::format("    p95 {:.1f}ms", static_cast<double>(*p95) / 1000.0);
  if (not_sent > 0)
    text += fmt::format("    {} could not be sent or finished: not to be trusted", not_sent);
  if (!problem.empty()) text += "    " + problem;
  return text;
}

}  // namespace

Clients::Clients(std::vector<witness::ProberConfig> configs, std::string problem)
    : problem_(std::move(problem)) {
  for (witness::ProberConfig& config : configs)
    probers_.push_back(std::make_unique<witness::Prober>(std::move(config)));
}

void Clients::start() {
  for (auto& prober : probers_) {
    if (Status started = prober->start(); !started)
      problem_ = "prober not started: " + hitless::describe(started.error());
  }
}

std::string Clients::line() const {
  std::vector<witness::ProberSnapshot> all;
  for (const auto& prober : probers_) all.push_back(prober->snapshot());
  return describe(all, problem_);
}

std::string Clients::finish() {
  std::vector<witness::ProberSnapshot> all;
  for (auto& prober : probers_) prober->request_stop();
  for (auto& prober : probers_) all.push_back(prober->stop());
  return describe(all, problem_);
}

std::int64_t Clients::lost() const {
  std::int64_t lost = 0;
  for (const auto& prober : probers_) lost += prober->snapshot().lost;
  return lost;
}

std::unique_ptr<Clients> make_clients(const fleet::Fleet& fleet) {
  std::vector<witness::ProberConfig> configs;
  std::string problem;
  for (const fleet::Prober& prober : fleet.probers) {
    if (prober.url.rfind("https://", 0) == 0) {
      problem = prober.url + " is not measured: the prober speaks http only";
      continue;
    }
    configs.push_back(reads_only(config_of(prober)));
  }
  if (fleet.probers.empty()) return nullptr;
  return std::make_unique<Clients>(std::move(configs), std::move(problem));
}

}  // namespace hitless::cli
