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
  process_stops,   // a: host, b: generation that was told to stop
  process_up,      // a: host, b: generation that was started
  workers_up,      // a: host, b: generation of workers that a reload makes
  workers_gone,    // a: host: those of before the reload accept no more
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
    if (item.at == now_) return at_once_.push_back(item);
    heap_.push_back(item);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  [[nodiscard]] bool empty() const { return heap_.empty() && next_ == at_once_.size(); }
  [[nodiscard]] const Item& top() const { return from_heap() ? heap_.front() : at_once_[next_]; }
  Item take() {
    const bool heap = from_heap();
    const Item item = top();
    now_ = item.at;
    if (heap) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      heap_.pop_back();
    } else if (++next_ == at_once_.size()) {
      at_once_.clear();
      next_ = 0;
    }
    return item;
  }
  template <class Visit>
  void each(Visit visit) const {
    for (const Item& item : heap_) visit(item);
    for (std::size_t i = next_; i < at_once_.size(); ++i) visit(at_once_[i]);
  }

 private:
  static bool later(const Item& x, const Item& y) {
    return x.at != y.at ? x.at > y.at : x.order > y.order;
  }
  [[nodiscard]] bool from_heap() const {
    if (heap_.empty() || next_ == at_once_.size()) return !heap_.empty();
    return later(at_once_[next_], heap_.front());
  }

  std::vector<Item> heap_;
  std::vector<Item> at_once_;  // for the present moment, in order: most are, and need no heap
  std::size_t next_ = 0;
  TimeMs now_ = -1;
  std::uint32_t next_order_ = 0;
};

}  // namespace hitless::sim
