// Keeps exactly the observations running that the core asked for, each as its own loop, and hands
// on what changed. A reading that repeats the last one is dropped: the journal stays readable, and
// the core is written so that a missed repeat changes nothing (I6).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/decide.hpp"
#include "engine/parts.hpp"

namespace hitless::engine {

struct WatchShared;
struct WatchLoop;

class Watchers {
 public:
  using Emit = std::function<void(core::Event)>;
  Watchers(const ServiceParts* parts, Emit emit);
  ~Watchers();
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  // Starts what is new, stops what is gone, adjusts the rest.
  Task<void> keep(std::vector<core::Watch> wanted);
  // The next reading of this instance is handed on even if it repeats the last one.
  void forget(const core::InstanceId& id);
  // Something happened that this kind of reading will show: it is asked for now.
  void look_now(core::WatchKind kind, const core::InstanceId& id);
  // Returns when every loop has ended.
  Task<void> stop();

 private:
  std::shared_ptr<WatchShared> shared_;
  std::map<std::pair<core::WatchKind, core::InstanceId>, std::shared_ptr<WatchLoop>> loops_;
};

}  // namespace hitless::engine
