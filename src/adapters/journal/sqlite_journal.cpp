#include "adapters/journal/sqlite_journal.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <charconv>
#include <future>
#include <mutex>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/rows.hpp"
#include "adapters/journal/schema.hpp"
#include "adapters/journal/session.hpp"
#include "adapters/journal/verify.hpp"
#include "adapters/journal/writer.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "runtime/durable_file.hpp"
#include "runtime/readable.hpp"

namespace hitless::journal {
namespace {

namespace asio = boost::asio;
using Seqs = Result<std::vector<std::int64_t>>;

constexpr std::size_t max_events_per_append = 100'000;  // a turn has some for each instance
constexpr std::size_t max_fact_key_bytes = 512;
constexpr std::size_t max_fact_value_bytes = 64 << 10;
constexpr int max_history_rows = 10'000;
constexpr std::string_view incident_counter = "hitless:last_incident";

Draft draft_of(Fact fact, std::int64_t at_ms) {
  Draft draft;
  draft.at_ms = at_ms;
  draft.kind = fact_kind;
  draft.body = fact_to_json(fact);
  // As it will be read back: broken UTF-8 is replaced on the way.
  draft.fact = fact_from_json(draft.body).value_or(Fact{});
  return draft;
}

Result<std::vector<Draft>> drafts_of(const std::string& rollout, std::int64_t at_ms,
                                     const std::vector<core::Event>& events) {
  if (auto ok = check_identifier(rollout); !ok) return tl::unexpected(ok.error());
  if (events.size() > max_events_per_append) {
    return fail(ErrorCode::internal, fmt::format("{} events in one append", events.size()));
  }
  std::vector<Draft> drafts;
  for (const auto& event : events) {
    Draft draft{rollout, at_ms, {}, {}, std::string(kind_of(event)), event_to_json(event)};
    // What cannot be read back must not get in; and the index follows from what is stored.
    auto stored = event_from_json(draft.body);
    if (!stored) {
      return fail(ErrorCode::internal, "an event cannot be journaled: " + describe(stored.error()));
    }
    draft.event = std::move(*stored);
    drafts.push_back(std::move(draft));
  }
  return drafts;
}

// What the writer's thread leaves for a coroutine that waits. Both hold it, and the thread touches
// nothing else of the coroutine's world: its io_context may be gone before the write is done.
struct Pending {
  Fd event;
  std::mutex mutex;
  std::optional<Seqs> seqs;  // empty until the write is durable or has failed
};

Task<Seqs> submit_and_wait(Writer* writer, std::vector<Draft> drafts) {
  auto pending = std::make_shared<Pending>();
  pending->event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const int copy = ::fcntl(pending->event.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) co_return tl::unexpected(storage_error("no eventfd", "", errno));
  asio::posix::stream_descriptor written(co_await asio::this_coro::executor, copy);
  Job job;
  job.drafts = std::move(drafts);
  job.done = [pending](Seqs seqs) {
    {
      const std::lock_guard lock(pending->mutex);
      pending->seqs = std::move(seqs);
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(pending->event.get(), &one, sizeof one);
  };
  writer->submit(std::move(job));
  co_await wait_readable(&written);
  const std::lock_guard lock(pending->mutex);
  if (!pending->seqs) co_return fail(ErrorCode::storage, "the wait for the journal was broken off");
  co_return std::move(*pending->seqs);
}

class Impl final : public SqliteJournal {
 public:
  Impl(std::string dir, Database reader) : dir_(std::move(dir)), path_(path_of_db(dir_)) {
    reader_.emplace(std::move(reader));
  }
  ~Impl() override { static_cast<void>(Impl::close()); }

  void write_with(Session session, Database db, HeadSigner signer) {
    session_.emplace(std::move(session));
    writer_ = std::make_unique<Writer>(std::move(db), path_, std::move(signer));
  }

  Task<Result<std::vector<core::Entry>>> append(std::string rollout, std::int64_t at_ms,
                                                std::vector<core::Event> events) override {
    if (writer_ == nullptr) co_return tl::unexpected(not_writable());
    auto drafts = drafts_of(rollout, at_ms, events);
    if (!drafts) co_return tl::unexpected(drafts.error());
    std::vector<core::Entry> entries;
    for (const auto& draft : *drafts) entries.push_back({0, rollout, at_ms, draft.event});
    if (entries.empty()) co_return entries;
    auto seqs = co_await submit_and_wait(writer_.get(), std::move(*drafts));
    if (!seqs) co_return tl::unexpected(seqs.error());
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i].seq = seqs->at(i);
    co_return entries;
  }

  Result<std::vector<core::Entry>> read(std::string rollout, std::int64_t up_to_seq) override;
  Result<std::vector<ports::RolloutRow>> rollouts(int limit) override;
  Result<ports::ChainReport> verify() override {
    auto report = verify_journal(dir_);
    if (!report) return tl::unexpected(report.error());
    return ports::ChainReport(std::move(*report));
  }
  Status put_fact(std::string key, std::string value) override;
  Result<std::string> get_fact(std::string key) override;
  Result<std::string> next_incident_id() override;
  Status export_jsonl(std::string rollout, std::function<Status(std::string_view)> write) override;
  Result<std::string> export_text(std::string rollout, std::size_t max_bytes) override;
  Result<std::string> signed_head() override { return signed_head_line(dir_); }
  Status close() override;

 private:
  Error not_writable() const {
    return {ErrorCode::storage, "the journal is closed or was opened for reading only", path_, ""};
  }
  Result<Statement> query(std::string sql) {
    if (!reader_) return fail(ErrorCode::storage, "the journal is closed", path_);
    return reader_->prepare(sql);
  }
  // Blocks until it is durable.
  Seqs write_now(Job job);
  Status seal(Database db, HeadSigner& signer);

  std::string dir_, path_;
  std::optional<Session> session_;
  std::optional<Database> reader_;
  std::unique_ptr<Writer> writer_;
};

Result<std::vector<core::Entry>> Impl::read(std::string rollout, std::int64_t up_to_seq) {
  auto rows =
      query(std::string(select_lines) + "WHERE rollout = ? AND (? = 0 OR seq <= ?) ORDER BY seq");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(1, rollout).bind(2, up_to_seq).bind(3, up_to_seq);
  std::vector<core::Entry> entries;
  while (true) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return entries;
    const Line line = line_of(*rows);
    if (line.kind == fact_kind) continue;
    if (hash_line(line) != line.hash) {
      return fail(ErrorCode::storage, fmt::format("entry {} of the journal was altered", line.seq),
                  path_, "run `hitless audit verify`; nothing may be decided from this journal");
    }
    auto event = event_from_json(line.body);
    if (!event) {
      return fail(ErrorCode::storage,
                  fmt::format("entry {}: {}", line.seq, describe(event.error())), path_,
                  "use the hitless that wrote it");
    }
    entries.push_back({line.seq, line.rollout, line.at_ms, std::move(*event)});
  }
}

Result<std::vector<ports::RolloutRow>> Impl::rollouts(int limit) {
  auto rows = query(std::string(select_index) + "ORDER BY first_seq DESC LIMIT ?");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(1, static_cast<std::int64_t>(std::clamp(limit, 0, max_history_rows)));
  std::vector<ports::RolloutRow> result;
  while (true) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return result;
    ports::RolloutRow each = index_of(*rows).row;
    // Its end was intended, and who was to carry it out was killed: it is still to be ended.
    if (each.ended_at == 0) each.result.clear();
    result.push_back(std::move(each));
  }
}

Seqs Impl::write_now(Job job) {
  if (writer_ == nullptr) return tl::unexpected(not_writable());
  auto promise = std::make_shared<std::promise<Seqs>>();
  auto future = promise->get_future();
  job.done = [promise](Seqs seqs) { promise->set_value(std::move(seqs)); };
  writer_->submit(std::move(job));
  return future.get();
}

Status Impl::put_fact(std::string key, std::string value) {
  if (key.empty() || key.size() > max_fact_key_bytes || value.size() > max_fact_value_bytes) {
    return fail(ErrorCode::invalid, "a fact is too long or has no key",
                escape_for_terminal(truncate_utf8(key, 80)));
  }
  Job job;
  job.drafts.push_back(draft_of({std::move(key), std::move(value)}, wall_now_ms()));
  const auto seqs = write_now(std::move(job));
  if (!seqs) return tl::unexpected(seqs.error());
  return {};
}

Result<std::string> Impl::get_fact(std::string key) {
  if (!reader_) return fail(ErrorCode::storage, "the journal is closed", path_);
  if (key.empty()) return std::string();
  return read_fact(*reader_, key);
}

Result<std::string> Impl::next_incident_id() {
  auto number = std::make_shared<std::int64_t>(0);
  Job job;
  job.prepare = [number](Database& db) -> Result<std::vector<Draft>> {
    const auto last = read_fact(db, std::string(incident_counter));
    if (!last) return tl::unexpected(last.error());
    std::from_chars(last->data(), last->data() + last->size(), *number);
    ++*number;
    std::vector<Draft> drafts;
    drafts.push_back(
        draft_of({std::string(incident_counter), std::to_string(*number)}, wall_now_ms()));
    return drafts;
  };
  const auto seqs = write_now(std::move(job));
  if (!seqs) return tl::unexpected(seqs.error());
  return "INC-" + std::to_string(*number);
}

Status Impl::export_jsonl(std::string rollout, std::function<Status(std::string_view)> write) {
  auto rows = query(std::string(select_lines) + "WHERE ? = '' OR rollout = ? ORDER BY seq");
  if (!rows) return tl::unexpected(rows.error());
  rows->bind(1, rollout).bind(2, rollout);
  while (true) {
    const auto row = rows->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    if (auto ok = write(export_line(line_of(*rows))); !ok) return ok;
  }
}

Result<std::string> Impl::export_text(std::string rollout, std::size_t max_bytes) {
  std::string text;
  const auto ok = export_jsonl(std::move(rollout), [&](std::string_view line) -> Status {
    if (text.size() + line.size() > max_bytes) {
      return fail(ErrorCode::invalid,
                  fmt::format("the audit log is longer than {} bytes", max_bytes), {},
                  "get it with `hitless audit export`");
    }
    text += line;
    return {};
  });
  if (!ok) return tl::unexpected(ok.error());
  return text;
}

Status Impl::close() {
  reader_.reset();
  if (writer_ == nullptr) return {};
  auto db = writer_->stop();
  const bool wrote = writer_->wrote();
  Status status;
  // A seal that is still there was not broken by anyone; a journal that failed is left as it is.
  const bool sealed = !wrote && size_of(seal_path(path_)) >= 0;
  if (db && !sealed && session_->become_last()) {
    status = seal(std::move(*db), writer_->signer());
  }
  writer_.reset();
  session_.reset();
  return status;
}

Status Impl::seal(Database db, HeadSigner& signer) {
  const auto emptied = db.checkpoint();
  if (!emptied) return tl::unexpected(emptied.error());
  if (!*emptied) return {};  // someone reads an old state; the next session will seal
  const auto head = read_head(db);
  if (!head) return tl::unexpected(head.error());
  const auto journal = read_journal_id(db);
  if (!journal) return tl::unexpected(journal.error());
  // First, so that a sealed journal is signed to its end.
  if (auto ok = signer.sign(*journal, *head); !ok) return ok;
  {
    const Database closed = std::move(db);
  }
  if (size_of(path_ + "-wal") > 0) return {};
  auto digest = digest_database_file(path_);
  if (!digest) return tl::unexpected(digest.error());
  return write_durably(seal_path(path_), seal_to_text({*head, std::move(*digest)}));
}

Result<std::unique_ptr<SqliteJournal>> open_for_reading(const std::string& dir) {
  const std::string path = path_of_db(dir);
  if (auto seen = can_be_seen(path); !seen) return tl::unexpected(seen.error());
  if (size_of(path) < 0) {
    return fail(ErrorCode::not_found, "there is no journal yet", path,
                "it begins with the first rollout");
  }
  auto db = Database::open(path, Access::read);
  if (!db && !is_corruption(db.error()) && size_of(path + "-wal") <= 0) {
    db = Database::open(path, Access::immutable);
  }
  if (!db) return tl::unexpected(db.error());
  // What has no format yet has no entries either, and says so when it is asked.
  const auto format = read_meta(*db, "format");
  if (format && !format->empty()) {
    if (auto ok = accept_format(*format); !ok) return tl::unexpected(ok.error());
  }
  return std::make_unique<Impl>(dir, std::move(*db));
}

// SQLite would make it readable for all; its -wal and -shm take the mode over. Closed again before
// SQLite opens it: closing any descriptor of the file drops every lock that this process has on it,
// and the next reader would take itself for the last one and remove the -wal under the writer.
Status make_private_file(const std::string& path) {
  const Fd made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (made.get() >= 0 || errno == EEXIST) return {};
  return tl::unexpected(storage_error("cannot be created", path, errno));
}

// Looks twice when the first files of a key were just being made, by us before a crash or by
// another process now.
Status check_before_writing(const std::string& dir, const std::string& key_file) {
  std::string problem;
  for (int look = 0; look < 2; ++look) {
    const bool key_complete = size_of(public_key_path(dir)) >= 0;
    const auto report = verify_journal(dir, Depth::quick);
    if (!report) return tl::unexpected(report.error());
    if (report->intact) return {};
    problem = report->problem;
    if (key_complete) break;
    if (auto ok = HeadSigner::finish_creation(dir, key_file); !ok) return ok;
  }
  return fail(ErrorCode::storage, "the journal is not intact: " + problem, path_of_db(dir),
              "keep the folder as evidence, move it away, and find out who changed it");
}

Result<HeadSigner> open_signer(const std::string& dir, const std::string& key_file, Database& db) {
  const auto head = read_head(db);
  if (!head) return tl::unexpected(head.error());
  const auto journal = read_journal_id(db);
  if (!journal) return tl::unexpected(journal.error());
  return HeadSigner::open(dir, key_file, *journal, *head);
}

Result<std::unique_ptr<SqliteJournal>> open_for_writing(const std::string& dir,
                                                        const std::string& key_file) {
  if (auto ok = make_private_dir(dir); !ok) return tl::unexpected(ok.error());
  const std::string path = path_of_db(dir);
  auto session = Session::join(path);
  if (!session) return tl::unexpected(session.error());
  if (auto ok = check_before_writing(dir, key_file); !ok) return tl::unexpected(ok.error());
  if (auto ok = make_private_file(path); !ok) return tl::unexpected(ok.error());
  auto writer = Database::open(path, Access::read_write);
  if (!writer) return tl::unexpected(writer.error());
  if (auto ok = ensure_schema(*writer); !ok) return tl::unexpected(ok.error());
  auto signer = open_signer(dir, key_file, *writer);
  if (!signer) return tl::unexpected(signer.error());
  auto reader = Database::open(path, Access::read);
  if (!reader) return tl::unexpected(reader.error());
  auto journal = std::make_unique<Impl>(dir, std::move(*reader));
  journal->write_with(std::move(*session), std::move(*writer), std::move(*signer));
  return journal;
}

}  // namespace

Result<std::unique_ptr<SqliteJournal>> open_journal(const std::string& dir, Mode mode,
                                                    const std::string& key_file) {
  return mode == Mode::read_only ? open_for_reading(dir) : open_for_writing(dir, key_file);
}

}  // namespace hitless::journal
