// The zero-drop certificate of a rollout in the journal, as a fact `certificate:R-…`, so that
// `report`, `show`, `incident` and a late notification can say it again.
//
// The fact is durable before anybody is told the verdict. It is cut to kMaxStoredBytes by leaving
// out losses and other long lists, never verdict or counts, and says how much was left out. A
// crash before it was written leaves no certificate, which is shown as none, not as good.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "ports/journal.hpp"
#include "witness/certificate.hpp"

namespace hitless::cli {

inline constexpr std::size_t kMaxStoredBytes = 60u << 10;  // the journal takes 64 KiB

// certificate_json, cut. One line.
[[nodiscard]] std::string stored_certificate(const witness::Certificate& certificate);
// Empty: not one of ours.
[[nodiscard]] std::optional<witness::Certificate> read_certificate(std::string_view json);

[[nodiscard]] Status put_certificate(ports::Journal& journal, const std::string& rollout,
                                     const witness::Certificate& certificate);
[[nodiscard]] std::optional<witness::Certificate> get_certificate(ports::Journal& journal,
                                                                  const std::string& rollout);

// "confirmed", "refuted: 3 requests lost", "unknown: no prober is configured"
[[nodiscard]] std::string verdict_text(const witness::Certificate& certificate);

}  // namespace hitless::cli
