// What decisions ask about all instances together, kept up to date while events are folded, so that
// the cost of one event does not grow with the fleet.
//
// Invariant: it follows from the state alone. Census(state) is at any time the same as the one that
// was kept up to date (a test compares them); so it is never stored, and a crash loses nothing.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/state.hpp"

namespace hitless::core {

// What is true or not of one instance, and is asked of all.
enum class Trait : std::uint8_t {
  waiting,
  unasked,       // in preflight, not reported on yet, and nobody looks at it now
  lined_up,      // in preflight, and nothing is under way on it
  busy,          // draining to soaking, or about to roll back: it may want something now
  back_soon,     // rejoining or soaking
  failed,        // Instance::failed
  done_changed,  // done, going forward, with the new configuration
  in_work,       // core::in_work
  asked,         // in preflight, being looked at for the first time
  unchecked,     // no report yet, and not skipped by the plan
  blocked,       // its report has a check that blocks
  to_skip,       // in preflight, and its report says to leave it alone
  touched,       // taken out, acted on, or its configuration changed
  pending,       // an effect is under way on it
  unseen,        // no reading of the load balancer
  badly_seen,    // no reading that could count for the fewest that served
  over,          // core::is_terminal
  not_begun,     // waiting or in preflight
  quarantined,   // left out on purpose
  open_canary,   // a canary that has not come to its end
  lined_canary,  // of these, lined up
  count
};

class Census {
 public:
  using Members = std::set<std::size_t>;  // places in State::instances, in their order

  Census() = default;
  explicit Census(const State& state);
  // The instance at this place has changed.
  void update(const State& state, std::size_t place);
  bool operator==(const Census&) const = default;

  [[nodiscard]] std::optional<std::size_t> place_of(const InstanceId& id) const;
  [[nodiscard]] std::optional<std::size_t> holder_of(const std::string& effect) const;
  [[nodiscard]] std::int64_t count(Trait trait) const { return counts_[index(trait)]; }
  [[nodiscard]] std::int64_t all() const { return static_cast<std::int64_t>(each_.size()); }
  [[nodiscard]] bool any(Trait trait) const { return count(trait) > 0; }
  // Only for waiting … done_changed.
  [[nodiscard]] const Members& members(Trait trait) const { return members_[index(trait)]; }

  // Of the load balancer's counters, all instances but `self` together; what is not known is 0.
  [[nodiscard]] std::int64_t others_requests(const Instance& self) const;
  [[nodiscard]] std::int64_t others_errors(const Instance& self) const;
  // core::serves, of all instances, and of those that count for a floor of the plan.
  [[nodiscard]] std::int64_t serving() const { return serving_; }
  [[nodiscard]] std::size_t floors() const { return floors_.size(); }
  [[nodiscard]] std::int64_t serving_of(std::size_t floor) const { return floors_[floor]; }
  [[nodiscard]] const std::vector<std::size_t>& floors_at(std::size_t place) const {
    return each_[place].floors;
  }
  // In work, in another zone than this one.
  [[nodiscard]] bool works_in_another_zone(const std::string& zone) const;
  [[nodiscard]] TimeMs last_end() const { return last_end_; }

 private:
  static constexpr std::size_t kTraits = static_cast<std::size_t>(Trait::count);
  static constexpr std::size_t kListed = static_cast<std::size_t>(Trait::in_work);
  static constexpr std::size_t index(Trait trait) { return static_cast<std::size_t>(trait); }

  struct Each {
    std::array<bool, kTraits> is = {};
    bool serves = false;
    std::int64_t requests = 0, errors = 0;
    std::string zone;    // where it is in work
    std::string effect;  // under way on it
    std::vector<std::size_t> floors;
    bool operator==(const Each&) const = default;
  };
  static Each look_at(const Instance& instance);
  void add(const Each& each, std::size_t place, std::int64_t sign);

  std::vector<Each> each_;
  std::unordered_map<std::string, std::size_t> places_, holders_;
  std::array<std::int64_t, kTraits> counts_ = {};
  std::array<Members, kListed> members_;
  std::map<std::string, std::int64_t> zones_;
  std::vector<std::int64_t> floors_;
  std::int64_t serving_ = 0, requests_ = 0, errors_ = 0, zoned_ = 0;
  TimeMs last_end_ = 0;
};

// No reading of it that could count for the fewest that served.
[[nodiscard]] bool badly_seen(const Instance& instance);

// As those of State alone, for whoever keeps its census.
void apply_to(State& state, Census& census, const Event& event, TimeMs at);
[[nodiscard]] TimeMs last_progress(const State& state, const Census& census);
// A whole journal.
[[nodiscard]] State fold(const std::vector<Entry>& entries);

}  // namespace hitless::core
