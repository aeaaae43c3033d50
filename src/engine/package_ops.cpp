#include "engine/package_ops.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hitless::engine {
namespace {

using core::Check;
using core::CheckStatus;

constexpr std::size_t kMaxShown = 6;

std::string words_of(const core::PlannedPackage& package) {
  return package.name + " " + (package.from.empty() ? "(new)" : package.from) + " → " + package.to;
}

std::string list(const std::vector<std::string>& words) {
  if (words.size() <= kMaxShown) return join(words, ", ");
  const std::vector<std::string> shown(words.begin(), words.begin() + kMaxShown);
  return join(shown, ", ") + fmt::format(" and {} more", words.size() - kMaxShown);
}

bool same(const core::PlannedPackage& a, const core::PlannedPackage& b) {
  return a.name == b.name && a.from == b.from && a.to == b.to;
}

bool holds(const std::vector<core::PlannedPackage>& all, const core::PlannedPackage& one) {
  return std::any_of(all.begin(), all.end(), [&](const auto& each) { return same(each, one); });
}

// "" when what is found is just what was planned.
std::string difference(const std::vector<core::PlannedPackage>& planned,
                       const std::vector<core::PlannedPackage>& found) {
  for (const core::PlannedPackage& each : found) {
    if (!holds(planned, each)) return "now also " + words_of(each);
  }
  for (const core::PlannedPackage& each : planned) {
    if (!holds(found, each)) return "no longer " + words_of(each);
  }
  return {};
}

void check_changes(const PackageWish& wish, PackageFinding& finding) {
  std::vector<std::string> words, nowhere, from_files;
  for (const core::PlannedPackage& each : finding.packages) {
    words.push_back(words_of(each));
    if (each.from.empty()) continue;
    if (each.way_back.empty()) nowhere.push_back(each.name + " " + each.from);
    if (!each.way_back.empty() && each.way_back != "archive") from_files.push_back(each.way_back);
  }
  finding.summary = list(words);
  finding.checks.push_back(
      {"Packages", CheckStatus::pass, words.empty() ? "nothing to upgrade" : list(words), {}});
  if (words.empty()) return;
  Check back{"Rollback point", CheckStatus::pass, "the archive still has every old version", {}};
  if (!from_files.empty()) back.evidence = "old versions from the archive and " + list(from_files);
  if (!nowhere.empty()) {
    back.status = wish.without_way_back ? CheckStatus::warn : CheckStatus::fail;
    back.evidence =
        "no way back: neither the archive nor /var/cache/apt/archives has " + list(nowhere);
    back.help = "put the old .deb there, or accept it with --without-way-back";
  }
  finding.checks.push_back(std::move(back));
  if (!wish.runs) return;
  const std::string moved = difference(wish.planned, finding.packages);
  if (!moved.empty())
    finding.checks.push_back({"Plan still fits", CheckStatus::fail,
                              "the archive moved since the plan was made: " + moved,
                              "make a new plan"});
}

Task<void> check_stale(const InstanceParts* instance, PackageFinding* finding) {
  auto stale = co_await instance->packages->stale();
  if (!stale) {
    finding->checks.push_back(
        {"Needs a restart", CheckStatus::unknown, describe(stale.error()), stale.error().help});
    co_return;
  }
  std::vector<std::string> ours, others;
  for (const ports::StaleUnit& each : *stale) {
    const bool own = std::find(instance->units.begin(), instance->units.end(), each.unit) !=
                     instance->units.end();
    (own ? ours : others).push_back(own ? each.unit + " " + each.reason : each.unit);
  }
  finding->anything |= !ours.empty();
  finding->checks.push_back({"Needs a restart",
                             CheckStatus::pass,
                             ours.empty() ? "none of the fleet's services there" : list(ours),
                             {}});
  if (!others.empty())
    finding->checks.push_back(
        {"Others that run what is gone", CheckStatus::warn, list(others) + ": not restarted", {}});
}

}  // namespace

std::vector<core::PlannedPackage> packages_of(const std::vector<core::PlannedPackage>& planned,
                                              const core::InstanceId& instance) {
  std::vector<core::PlannedPackage> mine;
  for (const core::PlannedPackage& each : planned) {
    if (each.instance == instance) mine.push_back(each);
  }
  return mine;
}

Task<PackageFinding> look_at_packages(const InstanceParts* instance, PackageWish wish) {
  PackageFinding finding;
  if (instance->packages == nullptr) {
    finding.checks.push_back({"Packages", CheckStatus::fail, "no package manager is known", {}});
    co_return finding;
  }
  if (wish.runs) {
    wish.names.clear();
    for (const core::PlannedPackage& each : wish.planned) wish.names.push_back(each.name);
  }
  if (!wish.runs || !wish.names.empty()) {
    auto facts = co_await instance->packages->pending(wish.names);
    if (!facts) {
      finding.checks.push_back(
          {"Packages", CheckStatus::unknown, describe(facts.error()), facts.error().help});
      co_return finding;
    }
    finding.checks = std::move(facts->checks);
    for (const ports::PackageChange& change : facts->changes)
      finding.packages.push_back(
          {instance->id, change.name, change.from, change.to, change.way_back});
  }
  finding.anything = !finding.packages.empty() ||
                     std::any_of(finding.checks.begin(), finding.checks.end(),
                                 [](const auto& c) { return c.status != CheckStatus::pass; });
  check_changes(wish, finding);
  co_await check_stale(instance, &finding);
  co_return finding;
}

Task<Result<core::Outcome>> install_packages(const InstanceParts* instance,
                                             std::vector<core::PlannedPackage> planned,
                                             core::Direction direction, ports::InstallOrder order) {
  for (const core::PlannedPackage& each : packages_of(planned, instance->id))
    order.packages.push_back({each.name, each.from, each.to, each.way_back});
  order.backward = direction == core::Direction::backward;
  if (order.packages.empty() || instance->packages == nullptr) {
    core::Outcome nothing;
    nothing.status = core::OutcomeStatus::ok;
    nothing.detail = "no package of this host is changed";
    co_return nothing;
  }
  co_return co_await instance->packages->install(std::move(order));
}

}  // namespace hitless::engine
