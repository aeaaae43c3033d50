#include "adapters/service/observer.hpp"

#include "adapters/service/evidence.hpp"
#include "base/time.hpp"

namespace hitless::service {
namespace {

constexpr DurationMs kRecentMs = 2'000;

}  // namespace

Task<Result<ProbeResult>> Observer::look(std::optional<core::ServiceIdentity> before,
                                         std::optional<core::ServiceIdentity> known_process) {
  ProbeQuery query = query_;
  query.known = std::move(known_process);
  const auto known = co_await tree_->known();
  if (!known) co_return tl::unexpected<Error>(known.error());
  query.patterns = known->patterns;
  const bool nginx = query.workers == Workers::nginx;
  if (nginx && query.log_file.empty()) query.log_file = known->error_log;
  if (nginx && query.log_file.empty()) query.log_file = other_log_;
  if (before && before->log_offset >= 0) {
    // The log that was written to then, whatever the new configuration says: until a reload has
    // succeeded, nginx complains in the old one.
    query.log_file = before->log_file;
    query.log_inode = before->log_inode;
    query.log_offset = before->log_offset;
    query.log_pid = before->main_pid;
  }
  const TimeMs began = steady_now_ms();
  const bool under_systemd = !query.unit.empty();
  auto result = co_await probe(host_, std::move(query));
  const bool whole = result && result->unit.has_value() == under_systemd;
  if (!result || whole) last_.reset();
  if (!result) co_return result;
  result->identity.config_digest = co_await tree_->digest(result->config_listing);
  if (whole) last_ = *result, last_at_ = began;
  co_return result;
}

Task<Result<core::ServiceIdentity>> Observer::identity() {
  auto result = co_await look(std::nullopt, last_ ? std::optional(last_->identity) : std::nullopt);
  if (!result) co_return tl::unexpected<Error>(std::move(result.error()));
  co_return std::move(result->identity);
}

Task<Result<ProbeResult>> Observer::recent() {
  if (last_ && steady_now_ms() - last_at_ <= kRecentMs) co_return *last_;
  co_return co_await look();
}

core::ServiceReading cannot_tell(const Error& error) {
  core::ServiceReading reading;
  reading.evidence = evidence(describe(error));
  return reading;
}

}  // namespace hitless::service
