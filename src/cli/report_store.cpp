#include "cli/report_store.hpp"

#include <algorithm>
#include <filesystem>

#include "cli/version.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".html";

std::string folder_of(const std::string& state_dir) {
  return state_dir + "/reports";
}

// The id becomes a file's name, and a journal may come from anywhere.
Result<std::string> path_of(const std::string& state_dir, const std::string& rollout) {
  const auto legal = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
  };
  if (rollout.empty() || rollout.size() > 64 || !std::all_of(rollout.begin(), rollout.end(), legal))
    return fail(ErrorCode::invalid, "not a rollout's id");
  return folder_of(state_dir) + "/" + rollout + std::string(kEnding);
}

void prune(const std::string& folder) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> kept;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != kEnding) continue;
    std::error_code unreadable;
    kept.emplace_back(entry.last_write_time(unreadable), entry.path());
  }
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i + kMaxReports < kept.size(); ++i) fs::remove(kept[i].second, error);
}

}  // namespace

std::string make_report(const core::State& state, const std::vector<core::Entry>& entries,
                        const std::optional<witness::Certificate>& certificate,
                        const std::vector<witness::ProberRecord>& probers) {
  report::ReportInput input;
  input.state = state;
  input.entries = entries;
  input.certificate = certificate;
  input.probers = probers;
  input.made_at = wall_now_ms();
  input.version = kVersion;
  return report::html_report(input);
}

Status keep_report(const std::string& state_dir, const std::string& rollout,
                   const std::string& html) {
  auto path = path_of(state_dir, rollout);
  if (!path) return tl::unexpected<Error>(path.error());
  if (html.size() > kMaxReportBytes)
    return fail(ErrorCode::refused, "the report is above 8 MiB and is not kept");
  if (Status made = make_private_dir(folder_of(state_dir)); !made) return made;
  if (Status written = write_durably(*path, html); !written) return written;
  prune(folder_of(state_dir));
  return {};
}

Result<std::optional<std::string>> kept_report(const std::string& state_dir,
                                               const std::string& rollout) {
  auto path = path_of(state_dir, rollout);
  if (!path) return tl::unexpected<Error>(path.error());
  return read_if_there(*path, kMaxReportBytes);
}

}  // namespace hitless::cli
