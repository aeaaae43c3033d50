#include "cli/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text.hpp"
#include "cli/aws_inventory.hpp"
#include "fleet/load_leniently.hpp"
#include "runtime/http.hpp"
#include "runtime/process.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kInventoryDeadlineMs = 30'000;
constexpr std::size_t kMaxInventoryBytes = 1u << 20;

Task<void> run_command(std::vector<std::string> argv, Result<std::string>* out) {
  const std::string shown = escape_for_terminal(truncate_utf8(join(argv, " "), 200));
  auto ran = co_await run_process(std::move(argv), {}, kInventoryDeadlineMs, kMaxInventoryBytes);
  if (!ran) {
    *out = fail(ran.error().code, "the inventory command: " + ran.error().what, shown,
                ran.error().help);
  } else if (ran->signal != 0 || ran->exit_code != 0) {
    const std::string how = ran->signal != 0 ? "was killed by signal " + std::to_string(ran->signal)
                                             : "ended with exit " + std::to_string(ran->exit_code);
    *out = fail(ErrorCode::failed,
                "the inventory command " + how + ": " + redact(truncate_utf8(trim(ran->err), 300)),
                shown);
  } else if (ran->out.size() >= kMaxInventoryBytes) {
    *out = fail(ErrorCode::invalid, "the inventory command said more than 1 MiB", shown);
  } else {
    *out = std::move(ran->out);
  }
}

Task<void> get(std::string url, std::string token, Result<std::string>* out) {
  HttpRequest request;
  request.url = url;
  request.max_body_bytes = kMaxInventoryBytes;
  if (!token.empty()) request.headers.push_back("X-Consul-Token: " + token);
  auto answer = co_await http_request(std::move(request));
  if (!answer) {
    *out = fail(answer.error().code, "Consul: " + answer.error().what, url, answer.error().help);
  } else if (answer->status != 200 || answer->truncated) {
    *out = fail(ErrorCode::failed,
                answer->truncated ? std::string("Consul: the answer is longer than 1 MiB")
                                  : "Consul answered HTTP " + std::to_string(answer->status),
                url);
  } else {
    *out = std::move(answer->body);
  }
}

fleet::Outside outside(std::string state_dir) {
  fleet::Outside out;
  out.target_group = [dir = std::move(state_dir)](const fleet::TargetGroupQuestion& question) {
    return ask_target_group(question, dir);
  };
  out.run = [](std::vector<std::string> argv) {
    Result<std::string> text = fail(ErrorCode::internal, "nothing was run");
    run_until_done([&] { return run_command(std::move(argv), &text); });
    return text;
  };
  out.get = [](std::string url, std::string token) {
    Result<std::string> text = fail(ErrorCode::internal, "nothing was asked");
    run_until_done([&] { return get(std::move(url), std::move(token), &text); });
    return text;
  };
  return out;
}

}  // namespace

namespace {

// Of a file that is good, all but `check` tell only what stands in the way of something; an
// inventory of others may have hundreds of remarks.
void complain(const App& app, std::vector<fleet::Diagnostic> found) {
  const bool good = std::none_of(found.begin(), found.end(), [](const fleet::Diagnostic& each) {
    return each.severity == fleet::Severity::error;
  });
  std::size_t left_out = 0;
  if (good) {
    left_out =
        std::erase_if(found, [](const fleet::Diagnostic& each) { return each.code != "HL0205"; });
  }
  if (!found.empty())
    std::fputs(app.err.plain(fleet::render(found, app.err.color)).c_str(), stderr);
  static std::size_t said = 0;  // some verbs read the file more than once
  if (left_out > 0 && std::exchange(said, left_out) != left_out) {
    fmt::print(stderr, "{} {}: {} warning{}; `hitless check` shows {}\n",
               app.err.paint(Ink::warn, app.err.warning()), escape_for_terminal(fleet_path(app)),
               left_out, left_out == 1 ? "" : "s", left_out == 1 ? "it" : "them");
  }
}

}  // namespace

std::optional<fleet::Fleet> load_fleet_or_complain(const App& app,
                                                   std::vector<fleet::Diagnostic>* findings) {
  if (const auto none = no_fleet_file(app)) {
    print_error(app, *none);
    return std::nullopt;
  }
  // `check` asks for the findings, and judges all of the file.
  const auto load = findings != nullptr ? fleet::load_fleet : fleet::load_fleet_leniently;
  fleet::LoadResult loaded = load(fleet_path(app), outside(state_dir(app)));
  if (findings == nullptr) {
    complain(app, std::move(loaded.diagnostics));
    return std::move(loaded.fleet);
  }
  if (!loaded.diagnostics.empty())
    std::fputs(app.err.plain(fleet::render(loaded.diagnostics, app.err.color)).c_str(), stderr);
  *findings = std::move(loaded.diagnostics);
  return std::move(loaded.fleet);
}

Result<fleet::Fleet> load_fleet_quietly(const App& app) {
  if (auto none = no_fleet_file(app)) return tl::unexpected<Error>(std::move(*none));
  fleet::LoadResult loaded = fleet::load_fleet(fleet_path(app), outside(state_dir(app)));
  if (loaded.fleet) return std::move(*loaded.fleet);
  return fail(ErrorCode::invalid,
              "the fleet file has errors: " +
                  truncate_utf8(fleet::render(loaded.diagnostics, false), 2'000),
              fleet_path(app), "`hitless check` shows all of them");
}

}  // namespace hitless::cli
