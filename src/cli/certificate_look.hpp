// Certificates that a service shows and that end soon. Where a newer one lies on the host's disk,
// nobody has loaded it: a reload is called for. Otherwise it is only said.
#pragma once
#include "base/x509.hpp"
#include "cli/trigger_look.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

// Adds to the look. Asks each instance over TLS, and its host for the files where one ends soon.
Task<void> look_at_certificates(const fleet::Service* service, const Wiring* wiring,
                                TriggerLook* look);
// Those of the load balancers, through the probers' URLs; only ever said.
Task<void> look_at_probed_certificates(const fleet::Fleet* fleet, TriggerLook* look);

// The one of these that replaces what is shown: valid now, for the same names, and for longer.
// Null: none does. Pure.
[[nodiscard]] const CertificateFacts* renewed(const CertificateFacts& shown,
                                              const std::vector<CertificateFacts>& on_disk,
                                              TimeMs now);

}  // namespace hitless::cli
