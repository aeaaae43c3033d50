// Coordination port: who may work on a service, and the fence that stops one who no longer may.
//
// A lease lives on the instances' own hosts: a holder, an epoch and an end. Epochs only rise. An
// effect carries its epoch to the host, and the host refuses one that is lower than the highest it
// has seen, so a controller that was paused past its lease changes nothing (rule I4).
// After a crash of the holder its lease runs out by itself; a new holder gets a higher epoch.
#pragma once
#include <string>

#include "base/error.hpp"
#include "core/types.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

// Who asks. `home` names the controller's machine and state folder: whoever holds the file lock of
// the same home knows that an earlier holder from there is dead and need not wait for its end.
struct Claimant {
  std::string home;     // "machine-id:/var/lib/hitless", opaque
  std::string who;      // "root@ctl1", for people
  std::string rollout;  // "R-7f3a"
};

struct Lease {
  std::int64_t epoch = 0;
  DurationMs ttl_ms = 0;
};

class Coordination {
 public:
  virtual ~Coordination() = default;
  // Takes the service on every host of its instances, with an epoch above `at_least` and above any
  // that a host has seen. Fails with ErrorCode::refused, naming the holder, since when and until
  // when, while another home's lease lives on any host; then nothing is held. A host that cannot be
  // asked makes it fail (unavailable), naming the host.
  virtual Task<Result<Lease>> acquire(Claimant claimant, std::int64_t at_least) = 0;
  // Moves the end of the lease, and takes anew what a reboot of a host has wiped; refused when a
  // higher epoch has taken it. Other errors leave the end where it was on the hosts they name.
  virtual Task<Status> renew() = 0;
  // Gives it back; the epoch stays as the fence.
  virtual Task<Status> release() = 0;
  // Asked just before an effect on the instance that the host itself does not fence (a command to
  // the load balancer): refused when a higher epoch was seen there; not_found when a reboot has
  // wiped ours, which renew() may take anew.
  virtual Task<Status> check(core::InstanceId instance, std::int64_t epoch) = 0;
};

}  // namespace hitless::ports
