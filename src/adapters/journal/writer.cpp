#include "adapters/journal/writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "adapters/journal/rows.hpp"
#include "runtime/durable_file.hpp"

namespace hitless::journal {
namespace {

constexpr std::string_view run_again = ", then run again";

// What a rollout that can no longer be journaled tells its operator.
Error nothing_more(Error cause) {
  cause.what = "nothing more is done, because the journal cannot be written: " + cause.what;
  std::string& help = cause.help;
  if (help.ends_with(run_again)) help.resize(help.size() - run_again.size());
  if (help.empty()) help = "see that the state folder can be written";
  help += ", then `hitless resume`";
  return cause;
}

}  // namespace

Writer::Writer(Database db, std::string path, HeadSigner signer)
    : db_(std::move(db)),
      path_(std::move(path)),
      signer_(std::move(signer)),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  stop();
}

void Writer::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && queue_.size() < max_queued) {
      queue_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  job.done(fail(ErrorCode::storage, "the journal is closed or has too much to write", path_));
}

std::optional<Database> Writer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (!thread_.joinable()) return std::nullopt;
  thread_.join();
  if (broken_) return std::nullopt;
  return std::move(db_);
}

void Writer::run() {
  while (true) {
    std::vector<Job> batch;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < max_batch) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    finish(std::move(batch));
  }
}

void Writer::finish(std::vector<Job> batch) {
  if (!broken_) {
    auto written = commit(batch);
    if (written) {
      if (auto ok = sign_if_due(); !ok) broken_ = nothing_more(ok.error());
      for (std::size_t i = 0; i < batch.size(); ++i) batch[i].done(std::move((*written)[i]));
      return;
    }
    static_cast<void>(db_.exec("ROLLBACK"));  // there may be no transaction; the first error counts
    broken_ = nothing_more(written.error());
  }
  for (auto& job : batch) job.done(tl::unexpected(*broken_));
}

// Before the first write: the seal no longer fits what comes.
Status Writer::begin_session() {
  if (wrote_) return {};
  if (auto ok = remove_durably(seal_path(path_)); !ok) return ok;
  head_note_.reset(
      ::open(head_path(path_).c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (head_note_.get() < 0) {
    return tl::unexpected(storage_error("cannot be written", head_path(path_), errno));
  }
  wrote_ = true;
  return {};
}

// Not synced and best effort: it can only add to what verify() sees.
void Writer::note_head(const Head& head) {
  const std::string text = head_to_text(head);
  [[maybe_unused]] const auto n = ::pwrite(head_note_.get(), text.data(), text.size(), 0);
}

Result<std::vector<std::vector<std::int64_t>>> Writer::commit(std::vector<Job>& batch) {
  if (auto ok = begin_session(); !ok) return tl::unexpected(ok.error());
  if (auto ok = db_.exec("BEGIN IMMEDIATE"); !ok) return tl::unexpected(ok.error());
  auto head = read_head(db_);
  if (!head) return tl::unexpected(head.error());
  auto written = append_all(batch, *head);
  if (!written) return written;
  if (auto ok = write_meta(db_, "head_seq", std::to_string(head->seq)); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = write_meta(db_, "head_hash", head->hash); !ok) return tl::unexpected(ok.error());
  if (auto ok = db_.exec("COMMIT"); !ok) return tl::unexpected(ok.error());
  note_head(*head);
  head_ = *head;
  return written;
}

Status Writer::sign_if_due() {
  if (!rollout_ended_ && head_.seq - signer_.signed_seq() < sign_every) return {};
  const auto journal = read_journal_id(db_);
  if (!journal) return tl::unexpected(journal.error());
  rollout_ended_ = false;
  return signer_.sign(*journal, head_);
}

Result<std::vector<std::vector<std::int64_t>>> Writer::append_all(std::vector<Job>& batch,
                                                                  Head& head) {
  std::vector<std::vector<std::int64_t>> written;
  for (Job& job : batch) {
    if (job.prepare) {
      auto drafts = job.prepare(db_);
      if (!drafts) return tl::unexpected(drafts.error());
      job.drafts = std::move(*drafts);
    }
    auto& seqs = written.emplace_back();
    for (const Draft& draft : job.drafts) {
      if (auto ok = append_one(draft, head); !ok) return tl::unexpected(ok.error());
      seqs.push_back(head.seq);
    }
  }
  return written;
}

Status Writer::append_one(const Draft& draft, Head& head) {
  Line line{head.seq + 1, draft.rollout, draft.at_ms, draft.kind, draft.body, head.hash, {}};
  line.hash = hash_line(line);
  if (auto ok = insert_line(db_, line); !ok) return ok;
  head = {line.seq, line.hash};
  if (draft.fact) return write_fact(db_, *draft.fact);
  auto index = read_index(db_, draft.rollout);
  if (!index) return tl::unexpected(index.error());
  fold(*index, line.seq, line.at_ms, draft.event);
  rollout_ended_ |= index->row.ended_at != 0;
  return write_index(db_, *index);
}

}  // namespace hitless::journal
