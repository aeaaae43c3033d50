#include "adapters/service/loaded_config.hpp"

#include <algorithm>
#include <charconv>

#include "adapters/service/evidence.hpp"
#include "adapters/service/pending_edits.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "confdiff/config_diff.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;
using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

constexpr std::string_view kFormat = "hitless-loaded 1";
constexpr std::size_t kMaxKeptBytes = 256u << 10;  // of one file's text
constexpr std::size_t kMaxStateBytes = 16u << 20;
constexpr std::size_t kMaxFiles = 2'000;
constexpr std::size_t kMaxNamed = 4;  // changes in one line of evidence

// A program that was started, reloaded, or lost a worker since is another run.
std::string run_of(const ServiceIdentity& identity) {
  std::vector<std::string> workers = identity.workers;
  std::ranges::sort(workers);
  return sha256_hex(std::to_string(identity.main_pid) + "\n" + identity.start_time + "\n" +
                    identity.invocation_id + "\n" + join(workers, "\n"));
}

LoadedConfig loaded_of(const ServiceIdentity& now, const ports::Files& files) {
  LoadedConfig loaded;
  loaded.run = run_of(now);
  loaded.proven_at = wall_now_ms();
  for (const auto& [path, content] : files) {
    LoadedConfig::File& file = loaded.files[path];
    file.sha256 = sha256_hex(content);
    if (content.size() <= kMaxKeptBytes) file.text = redact(content);
  }
  return loaded;
}

// "NUMBER" and what follows it.
bool take_number(std::string_view& text, std::size_t& value, char end) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || at == text.data() + text.size() || *at != end) return false;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
  return true;
}
bool take_line(std::string_view& text, std::string_view& line) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

std::string told(const confdiff::Change& change) {
  std::string text = change.path;
  if (!change.before.empty()) text += " " + change.before;
  if (change.kind == confdiff::ChangeKind::added) text = "+ " + text;
  if (change.kind == confdiff::ChangeKind::removed) text = "− " + text;
  if (!change.after.empty()) text += " → " + change.after;
  if (!change.file.empty())
    text += " (" + change.file + (change.line > 0 ? ":" + std::to_string(change.line) : "") + ")";
  return text;
}

}  // namespace

std::string write_loaded(const LoadedConfig& loaded) {
  std::string text =
      std::string(kFormat) + "\n" + loaded.run + "\n" + std::to_string(loaded.proven_at) + "\n";
  for (const auto& [path, file] : loaded.files)
    text += std::to_string(path.size()) + " " + std::to_string(file.text.size()) + " " +
            file.sha256 + "\n" + path + "\n" + file.text + "\n";
  return text + "end\n";
}

std::optional<LoadedConfig> read_loaded(std::string_view text) {
  LoadedConfig loaded;
  std::string_view line;
  if (!take_line(text, line) || line != kFormat || !take_line(text, line)) return std::nullopt;
  loaded.run = line;
  std::size_t at = 0;
  if (!take_number(text, at, '\n')) return std::nullopt;
  loaded.proven_at = static_cast<TimeMs>(at);
  while (loaded.files.size() <= kMaxFiles && text != "end\n") {
    std::size_t path_bytes = 0, text_bytes = 0;
    if (!take_number(text, path_bytes, ' ') || !take_number(text, text_bytes, ' ') ||
        !take_line(text, line) || path_bytes > text.size() ||
        text_bytes > text.size() - path_bytes || text.size() - path_bytes - text_bytes < 2)
      return std::nullopt;
    LoadedConfig::File& file = loaded.files[std::string(text.substr(0, path_bytes))];
    file.sha256 = line;
    file.text = text.substr(path_bytes + 1, text_bytes);
    text.remove_prefix(path_bytes + text_bytes + 2);
  }
  if (text != "end\n") return std::nullopt;
  return loaded;
}

std::optional<Check> compare_loaded(const LoadedConfig& loaded, const ports::Files& on_disk,
                                    confdiff::Kind kind, const std::string& main_config) {
  confdiff::Files before, after;
  std::vector<std::string> differ;
  bool whole = true;  // both texts of all that differs are at hand
  for (const auto& [path, file] : loaded.files) {
    const auto now = on_disk.find(path);
    const bool same = now != on_disk.end() && sha256_hex(now->second) == file.sha256;
    whole = whole && (same || !file.text.empty());
    before[path] = file.text;
    if (!same) differ.push_back(now == on_disk.end() ? path + " (gone)" : path);
  }
  for (const auto& [path, content] : on_disk) {
    after[path] = redact(content);
    if (!loaded.files.contains(path)) differ.push_back(path + " (new)");
  }
  if (differ.empty()) return std::nullopt;
  std::vector<std::string> words(
      differ.begin(),
      differ.begin() + static_cast<std::ptrdiff_t>(std::min(differ.size(), kMaxNamed)));
  std::string text = "changed since hitless proved what it runs (" +
                     format_timestamp(loaded.proven_at) + "): " + join(words, ", ");
  if (differ.size() > words.size())
    text += " and " + std::to_string(differ.size() - words.size()) + " more";
  if (whole) {
    const auto diff = confdiff::diff_config(kind, before, after, main_config, {});
    text +=
        "; " + diff.summary.text + " (class " + confdiff::name_of(diff.summary.change_class) + ")";
    std::size_t named = 0;
    for (const confdiff::Change& change : diff.changes)
      if (named++ < kMaxNamed) text += "; " + told(change);
    if (named > kMaxNamed) text += "; and " + std::to_string(named - kMaxNamed) + " more";
    if (diff.changes.empty()) text += "; what differs is a secret";
  }
  return check(kPendingEdits, CheckStatus::warn,
               evidence(text + ". A reload or restart activates that, too"),
               "whose edit is it? Nobody's reload has tried it yet");
}

namespace {

class Remembering final : public ports::Service {
 public:
  Remembering(std::unique_ptr<ports::Service> service, std::string state_file, confdiff::Kind kind,
              std::string main_config)
      : service_(std::move(service)),
        state_file_(std::move(state_file)),
        kind_(kind),
        main_config_(std::move(main_config)) {}

  std::string describe() const override { return service_->describe(); }
  Task<Result<ports::ServiceCapabilities>> capabilities() override {
    return service_->capabilities();
  }
  Task<Result<ServiceIdentity>> identity() override { return service_->identity(); }
  Task<Check> test_config(ports::Files changed) override {
    return service_->test_config(std::move(changed));
  }
  Task<Result<ports::Files>> config_files() override { return service_->config_files(); }
  Task<Result<std::optional<ports::ChangeNeeds>>> needed_for(ports::Files before,
                                                             ports::Files after) override {
    return service_->needed_for(std::move(before), std::move(after));
  }
  Task<Result<ports::Files>> config_files_with(ports::Files changed) override {
    return service_->config_files_with(std::move(changed));
  }
  Task<Result<core::Outcome>> await_act(std::string id, DurationMs deadline_ms) override {
    return service_->await_act(std::move(id), deadline_ms);
  }

  Task<std::vector<Check>> validate() override {
    std::vector<Check> checks = co_await service_->validate();
    const auto kept = read_if_there(state_file_, kMaxStateBytes);
    if (!kept || !*kept) co_return checks;
    const auto loaded = read_loaded(**kept);
    if (!loaded) co_return checks;
    const auto now = co_await service_->identity();
    if (!now || !now->active || run_of(*now) != loaded->run) co_return checks;
    const auto files = co_await service_->config_files();
    if (!files) co_return checks;
    // Another main file than then: the fleet file has changed, and nothing can be compared.
    if (files->contains(main_config_) && !loaded->files.contains(main_config_)) co_return checks;
    std::erase_if(checks, [](const Check& each) { return each.name == kPendingEdits; });
    if (auto pending = compare_loaded(*loaded, *files, kind_, main_config_))
      checks.push_back(std::move(*pending));
    co_return checks;
  }

  Task<Result<core::Outcome>> act(ports::ActOrder order) override {
    before_act_.reset();
    if (auto files = co_await service_->config_files(); files && !files->empty())
      before_act_ = std::move(*files);
    co_return co_await service_->act(std::move(order));
  }

  Task<ServiceReading> verify(core::Action action, ServiceIdentity before) override {
    ServiceReading reading = co_await service_->verify(action, std::move(before));
    if (reading.verdict == ServiceVerdict::proven && before_act_) co_await keep(reading.now);
    co_return reading;
  }

 private:
  // Once for each run; what cannot be kept is only not known later.
  Task<void> keep(ServiceIdentity now) {
    if (run_of(now) == kept_run_) co_return;
    kept_run_ = run_of(now);
    const auto files = co_await service_->config_files();
    if (!files || *files != *before_act_) {
      (void)remove_durably(state_file_);  // edited meanwhile: which of the two was read?
      co_return;
    }
    if (make_private_dir(state_file_.substr(0, state_file_.rfind('/'))))
      (void)write_durably(state_file_, write_loaded(loaded_of(now, *files)));
  }

  std::unique_ptr<ports::Service> service_;
  std::string state_file_;
  confdiff::Kind kind_;
  std::string main_config_;
  std::optional<ports::Files> before_act_;
  std::string kept_run_;
};

}  // namespace

std::unique_ptr<ports::Service> make_remembering_service(std::unique_ptr<ports::Service> service,
                                                         std::string state_file,
                                                         confdiff::Kind kind,
                                                         std::string main_config) {
  return std::make_unique<Remembering>(std::move(service), std::move(state_file), kind,
                                       std::move(main_config));
}

}  // namespace hitless::service
