#include "report/report.hpp"

#include "base/digest.hpp"
#include "report/html.hpp"
#include "report/parts.hpp"

namespace hitless::report {

namespace {

// A style sheet is let through by its hash: CSP wants base64 of the raw SHA-256.
std::string style_hash() {
  const std::string hex = sha256_hex(kStyle);
  std::string raw;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    raw += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return "sha256-" + base64(raw);
}

}  // namespace

std::string html_report(const ReportInput& input) {
  std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n";
  out += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '" +
         style_hash() + "'; base-uri 'none'; form-action 'none'\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  out += "<meta name=\"referrer\" content=\"no-referrer\">\n";
  out += "<title>" + safe(input.state.plan.rollout) + " " + safe(input.state.plan.service) +
         "</title>\n<style>" + kStyle + "</style></head><body>\n";
  out += summary_part(input);
  out += "<main>\n";
  out += certificate_part(input) + gantt_part(input) + drains_part(input) + latency_part(input);
  out += checklist_part(input) + diff_part(input) + journal_part(input);
  out += "</main>\n<footer><p class=\"dim\">Made by hitless " + safe(input.version) + " at " +
         format_timestamp(input.made_at) + "</p></footer>\n</body></html>\n";
  return out;
}

}  // namespace hitless::report
