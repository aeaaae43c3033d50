#include "cli/certificate_look.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "runtime/http.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kDayMs = 24LL * 3'600'000;
constexpr DurationMs kAskMs = 5'000, kReadMs = 10'000;
constexpr int kProberDays = 21;
constexpr int kUnreadable = 3;

// $1: a file. The first certificate in it and nothing else: a private key may stand beside it.
constexpr const char* kScript = R"sh(
[ -f "$1" ] && [ -r "$1" ] || exit 3
awk '/-----BEGIN CERTIFICATE-----/ {p = 1} p {print} /-----END CERTIFICATE-----/ {exit}' <"$1" | head -c 65536
)sh";

// The name in the TLS greeting decides which certificate is shown: host, where the check has one.
void ask_as(HttpRequest& request, const std::string& url, const std::string& host) {
  request.url = url;
  const std::size_t from = url.find("://") + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", from), url.size());
  std::string authority = url.substr(from, end - from);
  if (host.empty() || authority.empty()) return;
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string::npos && authority.back() != ']';
  const std::string port = has_port ? authority.substr(colon) : ":443";
  if (!has_port) authority += port;
  request.url = url.substr(0, from) + host + port + url.substr(end);
  request.connect_to = authority;
}

Task<Result<CertificateFacts>> shown_by(std::string url, std::string host) {
  HttpRequest request;
  request.method = "HEAD";
  ask_as(request, url, host);
  request.timeout_ms = kAskMs;
  request.verify_tls = false;  // an expired one is to be seen
  request.keep_certificate = true;
  auto answer = co_await http_request(std::move(request));
  if (!answer) co_return tl::unexpected<Error>(answer.error());
  co_return read_certificate(answer->certificate_pem);
}

Task<Result<CertificateFacts>> on_disk(ports::Host* host, std::string path) {
  auto ran = co_await host->script(kScript, {path}, kReadMs, false);
  if (ran && ran->exit_code == kUnreadable && host->sudo())
    ran = co_await host->script(kScript, {path}, kReadMs, true);
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  if (ran->exit_code == kUnreadable)
    co_return fail(ErrorCode::not_found, "is not there or may not be read");
  co_return read_certificate(ran->out);
}

std::string when_it_ends(const CertificateFacts& shown, TimeMs now) {
  const std::string day = format_timestamp(shown.not_after).substr(0, 10);
  if (shown.not_after <= now) return "the certificate that it shows ended on " + day;
  return "the certificate that it shows ends in " +
         std::to_string((shown.not_after - now) / kDayMs) + " days, on " + day;
}

agent::Finding finding(const std::string& instance, const CertificateFacts& shown, TimeMs now) {
  agent::Finding found;
  found.trigger = agent::Trigger::certificate;
  found.instance = instance;
  found.evidence = when_it_ends(shown, now);
  found.occurrence = shown.sha256.substr(0, 32);
  return found;
}

Task<std::vector<CertificateFacts>> all_on_disk(const fleet::Service* service,
                                                const fleet::Instance* of, ports::Host* host,
                                                TriggerLook* look) {
  std::vector<CertificateFacts> all;
  for (const std::string& each : service->certificate_files) {
    const std::string path = fleet::expand(each, fleet::placeholders_of(*service, *of));
    auto facts = co_await on_disk(host, path);
    if (facts)
      all.push_back(std::move(*facts));
    else
      look->unknown.push_back(of->host + ": " + path + ": " + describe(facts.error()));
  }
  co_return all;
}

Task<void> look_at_one(const fleet::Service* service, const fleet::Instance* of, ports::Host* host,
                       TriggerLook* look) {
  const fleet::HealthCheck check = fleet::resolve(*service->health, *service, *of);
  auto shown = co_await shown_by(check.url, check.host_header.value_or(""));
  if (!shown) {
    look->unknown.push_back(of->id + ": its certificate: " + describe(shown.error()));
    co_return;
  }
  const TimeMs now = wall_now_ms();
  if (shown->not_after - now >= service->policy.certificate_days * kDayMs) co_return;
  agent::Finding found = finding(of->id, *shown, now);
  const auto all = co_await all_on_disk(service, of, host, look);
  if (const CertificateFacts* newer = renewed(*shown, all, now)) {
    found.evidence += "; the one on disk is good until " +
                      format_timestamp(newer->not_after).substr(0, 10) + ", and nobody loaded it";
    found.occurrence += " " + newer->sha256.substr(0, 32);
    found.proposal.wish = agent::Wish::reload;
    found.proposal.service = service->name;
    found.proposal.hosts = {of->host};
    found.proposal.reason = "certificate: " + found.evidence;
  } else {
    found.evidence += service->certificate_files.empty()
                          ? "; whether it was renewed is not known (certificate_files)"
                          : "; none on disk is newer";
  }
  look->findings.push_back(std::move(found));
}

}  // namespace

const CertificateFacts* renewed(const CertificateFacts& shown,
                                const std::vector<CertificateFacts>& on_disk, TimeMs now) {
  const CertificateFacts* best = nullptr;
  for (const CertificateFacts& each : on_disk) {
    const bool serves = each.names == shown.names && each.not_before <= now &&
                        each.not_after > now && each.not_after > shown.not_after;
    if (serves && (best == nullptr || each.not_after > best->not_after)) best = &each;
  }
  return best;
}

Task<void> look_at_certificates(const fleet::Service* service, const Wiring* wiring,
                                TriggerLook* look) {
  const bool over_tls = service->health && service->health->kind == fleet::CheckKind::http &&
                        service->health->url.starts_with("https://");
  if (!over_tls || service->policy.certificate_days == 0) co_return;
  std::vector<Task<void>> looks;
  for (const fleet::Instance& each : service->instances) {
    const engine::InstanceParts* parts = wiring->parts.instances.find(core::InstanceId{each.id});
    if (parts != nullptr) looks.push_back(look_at_one(service, &each, parts->host, look));
  }
  co_await join_all(std::move(looks));
}

Task<void> look_at_probed_certificates(const fleet::Fleet* fleet, TriggerLook* look) {
  for (const fleet::Prober& prober : fleet->probers) {
    if (!prober.url.starts_with("https://")) continue;
    const std::string where = escape_for_terminal(truncate_utf8(redact(prober.url), 200));
    auto shown = co_await shown_by(prober.url, prober.host);
    const TimeMs now = wall_now_ms();
    if (!shown) {
      look->unknown.push_back(where + ": its certificate: " + describe(shown.error()));
    } else if (shown->not_after - now < kProberDays * kDayMs) {
      look->findings.push_back(finding(where, *shown, now));
    }
  }
}

}  // namespace hitless::cli
