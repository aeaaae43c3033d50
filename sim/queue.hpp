// The simulator's time: what happens next, in order of time and then of having been put in.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/scenario.hpp"

namespace hitless::sim {

enum class Happens : std::uint8_t {
  fault,           // a: index
  heal,            // a: index
  start_process,   // a: home
  acquire,         // a: home
  load_journal,    // a: home
  zombies,         // a: home
  turn,            // a: home
  poll_traffic,    // a: home
  deliver,         // a: home, b: sample
  poll_service,    // a: home, b: host
  poll_health,     // a: home, b: host
  heartbeat,       // a: home
  send,            // a: flight
  lb_lands,        // a: flight, b: node; c: 1 for a duplicate
  host_lands,      // a: flight
  look_lands,      // a: flight
  reply,           // a: flight, b: outcome
  flight_over,     // a: flight: its deadline
  process_up,      // a: host, b: generation that was started
  operation_over,  // a: host
  check_notices,   // a: host
  request_ends,    // a: host
  boot,            // a: host
  watchdog_fires,  // a: node, b: host
};

struct Item {
  TimeMs at = 0;
  std::uint32_t order = 0;
  Happens what = Happens::turn;
  std::uint8_t c = 0;
  std::int16_t b = 0;
  std::int32_t a = 0;
  std::uint32_t life = 0;  // of the process it is for, so that a killed one gets nothing
};

class Queue {
 public:
  void put(Item item) {
    item.order = next_order_++;
    heap_.push_back(item);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] const Item& top() const { return heap_.front(); }
  Item take() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Item item = heap_.back();
    heap_.pop_back();
    return item;
  }
  [[nodiscard]] const std::vector<Item>& items() const { return heap_; }
  void clear() {
    heap_.clear();
    next_order_ = 0;
  }

 private:
  static bool later(const Item& x, const Item& y) {
    return x.at != y.at ? x.at > y.at : x.order > y.order;
  }
  std::vector<Item> heap_;
  std::uint32_t next_order_ = 0;
};

}  // namespace hitless::sim
