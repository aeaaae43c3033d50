// The simulated world: hosts, load balancer nodes, journal, controllers and the network between
// them, in virtual time. The controllers run the real core (core::Controller); everything else here
// is what drivers, hosts and the engine's shell do, including what goes wrong with them.
//
// Invariants: the same scenario gives the same run, event by event (I11); the rules are checked
// against what is true in this world and not against what a controller believes. A World is a
// value: a copy goes its own way, which is how the exhaustive search works.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "sim/parts.hpp"

namespace hitless::sim {

struct Ending {
  std::optional<Broken> broken;
  std::string result;  // of the rollout; "still running", "not started"
  std::uint64_t hash = 0;
  TimeMs took = 0;
  std::int64_t entries = 0, takeovers = 0;
};

class World {
 public:
  explicit World(Scenario scenario);

  // Runs to the end, or until a rule is broken.
  Ending run();
  // One event; false when there are none left, or a rule is broken.
  bool step();
  [[nodiscard]] Ending ending() const;
  void settle() {
    if (!broken_) rule_settled();
  }

  // One readable line for each event, in this order, when asked for.
  std::vector<std::string>* transcript = nullptr;

  // For the exhaustive search.
  [[nodiscard]] TimeMs now() const { return now_; }
  [[nodiscard]] const Item* upcoming() const { return queue_.empty() ? nullptr : &queue_.top(); }
  [[nodiscard]] std::uint64_t digest() const;  // equal digests: the same future
  void strike(const Fault& fault);
  void lose_next_message(bool reply) { (reply ? lose_reply_ : lose_request_) = true; }
  bool fixed_delays = false;

 private:
  // world.cpp
  void happen(const Item& item);
  bool for_process(const Item& item, int* home) const;
  void begin(const Fault& fault);
  void strike_aimed(const core::Effect& effect);
  void begin_network(const Fault& fault, bool on);
  void begin_host(const Fault& fault, bool on);
  void begin_store(const Fault& fault, bool on);
  void begin_process(const Fault& fault);
  void begin_lb(const Fault& fault, bool on);
  void end(const Fault& fault);
  void cease_faults();
  void at(DurationMs in, Happens what, int a = 0, int b = 0, std::uint32_t life = 0, int c = 0);

  // hosts.cpp
  void changed(int host, bool by_us);
  void reboot(int host);
  void process_stops(int host, int generation);
  void stop_process(int host);
  void process_up(int host, int generation);
  void workers_up(int host, int workers);
  void restart(int host, const core::Effect& effect, Operation& operation, int home);
  void reload_service(int host, const core::Effect& effect, Operation& operation, int home);
  void run_until_deadline(int host, const core::Effect& effect, Operation& operation, int home);
  void check_notices(int host);
  void request_ends(int host);
  Operation* find_operation(int host, std::int64_t number);
  void start_act(Flight& flight, Operation& operation);
  void operation_over(int host);
  void operation_ends(int host, core::OutcomeStatus status);
  void land_on_host(int flight);
  bool fence_refuses(int host, std::int64_t epoch) const;

  // balancer.cpp
  void count(int node, int host);
  [[nodiscard]] bool sends_work(int node, int host) const;
  [[nodiscard]] bool truly_serves(int host) const;
  void set_admin(int node, int host, Admin admin, bool by_us);
  void land_on_lb(int flight, int node, bool again);
  void reload(int node);
  void watchdog_fires(int node, int host);
  [[nodiscard]] core::TargetReading read_target(const Process& from, int host, bool count_on_host,
                                                unsigned lost_nodes);

  // process.cpp: the life of a controller
  void start_process(int home);
  void kill(int home, const char* why);
  void leave(int home, const char* why);
  void acquire(int home);
  void load_journal(int home);
  void await_zombies(int home);
  void record_outcomes_left_behind(int home);
  void heartbeat(int home);
  bool renew_all(int home);
  bool renew_one(int home, int host);
  bool may_touch(int home, int host, bool* gone);
  void arm_and_disarm(int home, bool again);
  bool disarm(int home, int host);
  bool append(int home, std::vector<core::Event> events);
  bool hook(int home);  // false: it was killed here
  void turn(int home);
  void wake_at(int home, TimeMs at);
  bool record(int home, std::vector<core::Event> events);
  void journal_broke(int home);
  void put_back(int home);
  void close(int home);
  void give_back(int home);

  // watching.cpp: what the engine's watchers do
  void keep(int home, const std::vector<core::Watch>& watches);
  void poll_traffic(int home);
  void poll_service(int home, int host);
  [[nodiscard]] core::ServiceVerdict service_verdict(const Process& process, int host,
                                                     bool operating) const;
  void poll_health(int home, int host);
  void take_sample(const TrafficSample& sample);
  void deliver(int home, int index);
  void forget(int home, int host);
  void wake_up(int home);
  void poll_soon(int home);
  void arrive(int home, core::Event event);

  // shell.cpp: what the engine's dispatch does
  void dispatch(int home, core::Effect effect, bool safe = false);
  void send(int flight);
  void send_to_lb(int flight);
  void send_to_host(int flight);
  void look(int flight);
  core::Outcome preflight(const Flight& flight);
  core::Outcome confirm_out(const Flight& flight);
  void reply(int flight, core::OutcomeStatus status);
  void flight_over(int flight);
  void finish_flight(int flight, core::Outcome outcome);
  [[nodiscard]] bool reaches_host(int home, int host) const;
  [[nodiscard]] bool reaches_node(int home, int node) const;
  DurationMs delay(int home);

  // rules.cpp: what must be true in this world
  void violate(const char* rule, std::string what);
  void rule_foreign(const Flight& flight);
  void rule_drain(const Flight& flight);
  void rule_command(const Flight& flight, bool touches_host);
  void rule_claim(const Flight& flight);
  void rule_rejoin(const Flight& flight);
  void rule_act(const Flight& flight);
  void rule_end();
  void rule_settled();
  void rule_replay(const core::State& live);
  [[nodiscard]] bool any_node_is_stale() const;
  [[nodiscard]] bool any_node_lies() const;
  [[nodiscard]] bool in_on_all_nodes(int host) const;
  [[nodiscard]] bool lb_ever_lied() const;
  [[nodiscard]] const core::State* durable_state();
  [[nodiscard]] const core::State& fold();
  [[nodiscard]] bool excused(const Flight& flight, int host, TimeMs since, DurationMs lag) const;

  // transcript.cpp
  void note(const char* who, const std::string& what);
  void note_event(int home, const core::Event& event);
  void hash_event(const core::Event& event);
  template <class Make>
  void tell(const char* who, Make make) {
    if (transcript != nullptr) note(who, make());
  }

  Scenario scenario_;
  Random random_;
  TimeMs now_ = 1'000;
  Queue queue_;
  Table<Host, kHosts> hosts_;
  Table<LbNode, kNodes> nodes_;
  Table<std::uint32_t, kHosts> version_{};  // changes with everything that a reading shows
  Store store_;
  Table<Process, kHomes> homes_;
  Table<Link, kHomes> links_;
  std::vector<Flight> flights_;  // by number; never used again
  std::vector<TrafficSample> samples_;
  TrafficSample fresh_sample_;
  core::State folded_;  // of so many entries
  std::size_t folded_entries_ = 0;
  std::int64_t granted_epoch_ = 0;
  int last_holder_ = -1;
  std::int64_t takeovers_ = 0, steps_ = 0;
  std::int64_t takeovers_after_faults_ = 0;
  unsigned begun_ = 0;   // bit per fault of the scenario that is in force
  unsigned struck_ = 0;  // the aimed ones that have had their turn
  bool faults_over_ = false;
  bool lose_request_ = false, lose_reply_ = false;
  std::optional<core::RolloutResult> result_;
  TimeMs ended_at_ = 0;
  std::uint64_t hash_ = 0;
  std::optional<Broken> broken_;
};

[[nodiscard]] int index_of(const core::InstanceId& id);
[[nodiscard]] std::uint64_t digest_of(const core::State& state, TimeMs relative_to);

}  // namespace hitless::sim
