// The one thread of a process that writes the journal: a queue, and one durable transaction for all
// that waits in it (group commit).
//
// Several processes may write: the head is read inside BEGIN IMMEDIATE, so that all extend one
// chain. A crash leaves whole transactions only. After a failed write nothing more is written: an
// entry that is missing in the middle would be a lie, so every later job fails with the first
// error. The head is signed before the end of a rollout is reported, and every sign_every entries;
// when that fails, the entries are reported as durable, as they are, and later jobs fail.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/journal/chain.hpp"
#include "adapters/journal/database.hpp"
#include "adapters/journal/seal.hpp"
#include "adapters/journal/signed_head.hpp"
#include "runtime/child.hpp"

namespace hitless::journal {

// Something to be appended: seq and hashes are given by the writer.
struct Draft {
  std::string rollout;
  std::int64_t at_ms = 0;
  core::Event event;  // for the index; unused for facts
  std::optional<Fact> fact;
  std::string kind, body;
};

struct Job {
  std::vector<Draft> drafts;
  // Makes drafts from what the journal says now, inside the transaction; may be empty.
  std::function<Result<std::vector<Draft>>(Database&)> prepare;
  std::function<void(Result<std::vector<std::int64_t>>)> done;  // called on the writer's thread
};

class Writer {
 public:
  static constexpr std::size_t max_queued = 10'000;
  static constexpr std::size_t max_batch = 256;

  static constexpr std::int64_t sign_every = 500;

  Writer(Database db, std::string path, HeadSigner signer);
  ~Writer();
  Writer(const Writer&) = delete;
  void submit(Job job);
  // Ends the thread after what is queued; returns the database when nothing ever failed.
  std::optional<Database> stop();
  [[nodiscard]] bool wrote() const { return wrote_; }     // after stop()
  [[nodiscard]] HeadSigner& signer() { return signer_; }  // after stop()

 private:
  void run();
  void finish(std::vector<Job> batch);
  Result<std::vector<std::vector<std::int64_t>>> commit(std::vector<Job>& batch);
  Result<std::vector<std::vector<std::int64_t>>> append_all(std::vector<Job>& batch, Head& head);
  Status append_one(const Draft& draft, Head& head);
  Status begin_session();
  void note_head(const Head& head);
  Status sign_if_due();

  Database db_;
  std::string path_;
  HeadSigner signer_;
  Head head_;                   // the last one that we committed
  bool rollout_ended_ = false;  // since the last signature
  Fd head_note_;
  bool wrote_ = false;
  std::optional<Error> broken_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace hitless::journal
