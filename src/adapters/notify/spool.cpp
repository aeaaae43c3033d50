#include "adapters/notify/spool.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <filesystem>

#include "adapters/notify/delivery.hpp"
#include "adapters/notify/spool_item.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "runtime/child.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::notify {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".notification";
constexpr std::size_t max_item_bytes = 128 << 20;
constexpr DurationMs min_attempt_ms = 50;  // with less left an attempt is not begun
constexpr int max_rounds = 100;

std::string sink_part(std::string_view sink) {
  return sha256_hex(sink).substr(0, 10);
}

// Sorts by age; the rest is the same for the same sink and key.
std::string ending_of(std::string_view sink, std::string_view key) {
  return "-" + sink_part(sink) + "-" + sha256_hex(key).substr(0, 20) + std::string(suffix);
}

// Names of the spooled files, oldest first. Unfinished temporary files do not count.
Result<std::vector<std::string>> names_in(const std::string& dir) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (name.ends_with(suffix)) names.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(ErrorCode::storage, "the spool cannot be read: " + error.message(), dir);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<std::size_t> Spool::size() const {
  const auto names = names_in(dir_);
  if (!names) return tl::unexpected(names.error());
  return names->size();
}

Status Spool::enqueue(std::string sink, ports::Notification notification) {
  if (auto ok = make_private_dir(dir_); !ok) return ok;
  const auto names = names_in(dir_);
  if (!names) return tl::unexpected(names.error());
  SpoolItem item;
  item.sink = std::move(sink);
  item.notification = cleaned(std::move(notification));
  item.queued_at = item.next_at = wall_now_ms();
  const std::string ending = ending_of(item.sink, item.notification.key);
  std::int64_t bytes = 0;
  for (const auto& name : *names) {
    if (name.ends_with(ending)) return {};
    bytes += size_of(dir_ + "/" + name);
  }
  const std::string text = item_to_text(item);
  bytes += static_cast<std::int64_t>(text.size());
  if (names->size() >= limits_.max_files || bytes > limits_.max_bytes ||
      text.size() > max_item_bytes) {
    return fail(ErrorCode::storage,
                fmt::format("the spool is full: {} notifications wait", names->size()), dir_,
                "see why they cannot be delivered (hitless doctor), or remove old ones");
  }
  return write_durably(fmt::format("{}/{:015}{}", dir_, item.queued_at, ending), text);
}

void Spool::withdraw(const std::string& key) {
  const auto names = names_in(dir_);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto text = read_if_there(dir_ + "/" + name, max_item_bytes);
    if (!text || !text->has_value()) continue;
    const auto item = item_from_text(**text);
    if (item && item->notification.key == key) (void)remove_durably(dir_ + "/" + name);
  }
}

void Spool::bury(const std::string& file) {
  const std::string dead = dir_ + "/dead";
  if (!make_private_dir(dead)) return;
  std::error_code ignored;
  fs::rename(dir_ + "/" + file, dead + "/" + file, ignored);
  const auto names = names_in(dead);
  if (!names || names->size() <= limits_.max_dead_files) return;
  for (std::size_t i = 0; i < names->size() - limits_.max_dead_files; ++i) {
    fs::remove(dead + "/" + (*names)[i], ignored);
  }
}

// What waits for the sink. An unreadable file is put aside and does not hold up the others.
std::vector<SpoolItem> Spool::load(const std::string& sink) {
  std::vector<SpoolItem> items;
  const auto names = names_in(dir_);
  if (!names) return items;
  for (const auto& name : *names) {
    if (name.find("-" + sink_part(sink) + "-") == std::string::npos) continue;
    const auto text = read_if_there(dir_ + "/" + name, max_item_bytes);
    if (text && !text->has_value()) continue;  // another process delivered it just now
    auto item = text ? item_from_text(**text) : tl::unexpected(text.error());
    if (!item || item->sink != sink) {
      bury(name);
      continue;
    }
    item->file = name;
    items.push_back(std::move(*item));
  }
  return items;
}

DeliveryReport Spool::give_up(const SpoolItem& item, Error error) {
  bury(item.file);
  return {item.sink, item.notification.key, DeliveryStatus::dead, item.attempts, std::move(error)};
}

Task<DeliveryReport> Spool::attempt(ports::Sink* sink, SpoolItem* item, TimeMs end) {
  DeliveryReport report{item->sink, item->notification.key, DeliveryStatus::pending, 0, {}};
  auto result = std::make_shared<std::optional<Delivery>>();
  auto run = [](ports::Sink* to, ports::Notification what,
                std::shared_ptr<std::optional<Delivery>> out) -> Task<void> {
    out->emplace(co_await to->deliver(std::move(what)));
  };
  co_await finish_within(run(sink, item->notification, result),
                         std::max(end - wall_now_ms(), min_attempt_ms));
  report.attempts = ++item->attempts;
  if (result->has_value() && (*result)->has_value()) {
    report.status = DeliveryStatus::delivered;
    if (auto ok = remove_durably(dir_ + "/" + item->file); !ok) report.error = ok.error();
    co_return report;
  }
  // No answer in time may mean that it arrived; it is sent again with the same key.
  ports::DeliveryFailure failure{
      {ErrorCode::timed_out, "no answer within the time for notifications", "", ""}, false, {}};
  if (result->has_value()) failure = (*result)->error();
  if (failure.final || item->attempts >= limits_.max_attempts)
    co_return give_up(*item, failure.error);
  const int doublings = std::min(item->attempts - 1, 20);
  const DurationMs backoff_ms =
      std::min(limits_.first_backoff_ms << doublings, limits_.max_backoff_ms);
  item->next_at = wall_now_ms() + std::max(backoff_ms, failure.retry_after_ms.value_or(0));
  item->last_error = escape_for_terminal(describe(failure.error));
  report.error = failure.error;
  if (auto ok = write_durably(dir_ + "/" + item->file, item_to_text(*item)); !ok)
    report.error = ok.error();
  co_return report;
}

Task<void> Spool::flush_sink(ports::Sink* sink, TimeMs end, std::vector<DeliveryReport>* reports) {
  const std::string name = sink->name();
  const Fd lock(::open((dir_ + "/" + sink_part(name) + ".lock").c_str(),
                       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  const bool ours = lock.get() >= 0 && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
  auto items = load(name);
  std::vector<DeliveryReport> last;  // of each item, in the same order
  for (const auto& item : items) {
    const std::string why = !ours                     ? "another hitless is delivering to this sink"
                            : item.last_error.empty() ? "not tried yet"
                                                      : item.last_error;
    last.push_back({name,
                    item.notification.key,
                    DeliveryStatus::pending,
                    item.attempts,
                    {ErrorCode::unavailable, why, "", ""}});
  }
  // Every item has its turn in each round, so that one that always fails does not hold up the
  // others.
  for (int round = 0; ours && round < max_rounds; ++round) {
    TimeMs next_at = end;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (last[i].status != DeliveryStatus::pending) continue;
      if (wall_now_ms() - items[i].queued_at > limits_.max_age_ms) {
        last[i] = give_up(items[i], last[i].error);
        continue;
      }
      if (items[i].next_at <= wall_now_ms() && wall_now_ms() + min_attempt_ms <= end) {
        last[i] = co_await attempt(sink, &items[i], end);
      }
      if (last[i].status == DeliveryStatus::pending) next_at = std::min(next_at, items[i].next_at);
    }
    if (next_at + min_attempt_ms > end) break;
    co_await sleep_for(std::max<DurationMs>(next_at - wall_now_ms(), 1));
  }
  for (auto& report : last) reports->push_back(std::move(report));
}

Task<std::vector<DeliveryReport>> Spool::flush(std::vector<ports::Sink*> sinks,
                                               DurationMs budget_ms) {
  auto reports = std::make_shared<std::vector<DeliveryReport>>();
  const auto waiting = size();
  if (!waiting || *waiting == 0) co_return std::move(*reports);
  const TimeMs end = wall_now_ms() + budget_ms;
  std::vector<Task<void>> tasks;
  for (ports::Sink* sink : sinks) tasks.push_back(flush_sink(sink, end, reports.get()));
  co_await join_all(std::move(tasks));
  co_return std::move(*reports);
}

}  // namespace hitless::notify
