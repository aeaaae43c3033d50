// Every bit of a journal of 1,000 entries flipped, and every file of it cut at every byte: found?
//
//   journal_faults [--quick]
//
// Three journals: one of 1,000 entries that was closed (and sealed); one of 1,000 and one of 100
// entries whose writer was killed (with -wal, without seal). Each case changes a copy in memory
// (/dev/shm), asks the very verify_journal that `hitless audit verify` asks, and takes the change
// back. In the closed journal every change must be found. Without a seal a change may also be one
// that no entry depends on: then all entries must be there, with the same head. Anything else is a
// miss.
//
// What keeps it to minutes: of the closed journal.db, the whole of verify_journal is asked for one
// bit of each byte, another one from byte to byte; for the other seven the digest of the block is
// compared with the seal's, which is what finds them. Of the killed writer's files with 1,000
// entries one bit of each byte is flipped, with 100 entries all eight.
//
// --quick: a sample, the same each time. Exit code 0: no miss. The last line is the figure.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "adapters/journal/seal.hpp"
#include "adapters/journal/sqlite_journal.hpp"
#include "adapters/journal/verify.hpp"
#include "runtime/child.hpp"

namespace hitless::journal {
namespace {

namespace fs = std::filesystem;

constexpr int entries_in_all = 1000;
constexpr int entries_in_small = 100;
constexpr int entries_after_restart = 20;  // those of the killed writer, in its write-ahead log
constexpr int entries_per_append = 10;
constexpr int max_workers = 16;
constexpr std::int64_t look_for_changes_every = 512;
constexpr std::size_t max_named_misses = 5;
constexpr std::int64_t quick_flips = 400, quick_cuts = 150;  // of each file

struct Scratch {
  Scratch() {
    std::string name = "/dev/shm/hitless-journal-faults-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Scratch() { fs::remove_all(path); }
  Scratch(const Scratch&) = delete;
  std::string path;
};

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "journal_faults: {}\n", why);
  std::exit(2);
}

void append_entries(SqliteJournal& journal, int from, int to) {
  for (int i = from; i < to; i += entries_per_append) {
    std::vector<core::Event> events;
    for (int n = i; n < std::min(to, i + entries_per_append); ++n) {
      events.push_back(core::Noted{{"web@web01"}, fmt::format("note {}", n)});
    }
    Result<std::vector<core::Entry>> done;
    run_until_done(
        [&]() -> Task<void> { done = co_await journal.append("R-1", 1000 + i, events); });
    if (!done) give_up(describe(done.error()));
  }
}

void make_closed(const std::string& dir, int entries) {
  auto journal = open_journal(dir, Mode::read_write);
  if (!journal) give_up(describe(journal.error()));
  append_entries(**journal, 0, entries);
  if (auto ok = (*journal)->close(); !ok) give_up(describe(ok.error()));
}

void make_killed(const std::string& dir, int entries) {
  make_closed(dir, entries - entries_after_restart);
  const pid_t child = ::fork();
  if (child == 0) {
    auto journal = open_journal(dir, Mode::read_write);
    if (!journal) ::_exit(1);
    append_entries(**journal, entries - entries_after_restart, entries);
    ::_exit(0);  // nothing is closed
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0) give_up("the writer that is killed could not write");
  fs::remove(dir + "/journal.db-shm");
}

struct Count {
  std::int64_t cases = 0, found = 0, harmless = 0, missed = 0;
  std::int64_t by_digest = 0;  // of those found
  void add(const Count& other) {
    cases += other.cases;
    found += other.found;
    harmless += other.harmless;
    missed += other.missed;
    by_digest += other.by_digest;
  }
};

// One kind of change to one file.
struct Group {
  std::string file;
  bool cut = false;           // else: flip
  bool all_must_show = true;  // else: harmless ones are fine
  int bits_per_byte = 8;      // 1: one of the eight, another one for each byte
  bool digests = false;       // seven of the eight are found by the digest of their block
};

class Worker {
 public:
  Worker(std::string dir, const Group& group) : dir_(std::move(dir)), group_(group) {
    path_ = dir_ + "/" + group_.file;
    for (const auto& file : fs::directory_iterator(dir_)) {
      good_.emplace_back(file.path(), slurp(file.path()));
      if (file.path() == path_) content_ = good_.back().second;
    }
    fd_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    const auto report = verify_journal(dir_, Depth::first_problem);
    if (!report || !report->intact) give_up("the journal is not intact to begin with");
    head_ = report->head;
    entries_ = report->entries;
    if (entries_ != entries_in_all && entries_ != entries_in_small)
      give_up("the journal has not all entries");
    if (group_.digests) read_seal();
  }

  // The seven bits that verify_journal is not asked about.
  void flip_by_digest(std::int64_t at, int bit) {
    const auto size = seal_.file.block_bytes;
    const auto index = static_cast<std::size_t>(at / size);
    std::string block =
        content_.substr(index * static_cast<std::size_t>(size), static_cast<std::size_t>(size));
    char& byte = block[static_cast<std::size_t>(at % size)];
    byte = static_cast<char>(byte ^ (1 << bit));
    if (block_digest(block) == seal_.file.blocks.at(index)) return flip(at, bit);
    ++count_.cases;
    ++count_.found;
    ++count_.by_digest;
  }

  void flip(std::int64_t at, int bit) {
    const char good = content_[static_cast<std::size_t>(at)];
    put(at, static_cast<char>(good ^ (1 << bit)));
    judge(fmt::format("byte {} bit {}", at, bit));
    put(at, good);
    look_for_changes();
  }

  void cut(std::int64_t size) {
    if (::ftruncate(fd_.get(), size) != 0) give_up("cannot cut");
    judge(fmt::format("cut to {} bytes", size));
    const std::string_view rest = std::string_view(content_).substr(static_cast<std::size_t>(size));
    if (::pwrite(fd_.get(), rest.data(), rest.size(), size) != static_cast<ssize_t>(rest.size())) {
      give_up("cannot restore");
    }
    look_for_changes();
  }

  const Count& count() const { return count_; }

 private:
  void read_seal() {
    const auto text = read_seal_text(path_);
    auto seal = text && text->has_value() ? seal_from_text(**text) : fail(ErrorCode::storage, "");
    if (!seal || first_difference(path_, seal->file).value_or("?") != "") give_up("no seal");
    seal_ = std::move(*seal);
  }

  void put(std::int64_t at, char byte) {
    if (::pwrite(fd_.get(), &byte, 1, at) != 1) give_up("cannot write");
  }

  void judge(const std::string& what) {
    ++count_.cases;
    const auto report = verify_journal(dir_, Depth::first_problem);
    if (!report || !report->intact) {
      ++count_.found;
      return;
    }
    if (!group_.all_must_show && report->head == head_ && report->entries == entries_) {
      ++count_.harmless;
      return;
    }
    if (static_cast<std::size_t>(count_.missed++) < max_named_misses) {
      fmt::print(stderr, "missed: {} {}\n", group_.file, what);
    }
  }

  // Looking must leave the evidence as it is; and each case must begin with the real journal.
  void look_for_changes() {
    if (count_.cases % look_for_changes_every != 0) return;
    for (const auto& [path, text] : good_) {
      if (slurp(path) != text) give_up("looking has changed " + path);
    }
  }

  std::string dir_, path_, content_, head_;
  std::int64_t entries_ = 0;
  Seal seal_;
  const Group& group_;
  std::vector<std::pair<std::string, std::string>> good_;
  Fd fd_;
  Count count_;
};

// The cases of one worker: every workers-th of the group, or of a sample of it.
Count run_share(const std::string& dir, const Group& group, int share, int workers, bool quick) {
  Worker worker(dir, group);
  const auto bytes = static_cast<std::int64_t>(fs::file_size(dir + "/" + group.file));
  const std::int64_t all = group.cut ? bytes : bytes * group.bits_per_byte;
  const std::int64_t wanted = quick ? (group.cut ? quick_cuts : quick_flips) : all;
  const std::int64_t step =
      std::max<std::int64_t>(1, all / wanted) | 1;  // odd: all bits have a turn
  for (std::int64_t n = share * step; n < all; n += workers * step) {
    if (group.cut) {
      worker.cut(n);
    } else if (group.digests && n % 8 != n / 8 % 8) {
      worker.flip_by_digest(n / 8, static_cast<int>(n % 8));
    } else if (group.bits_per_byte == 8) {
      worker.flip(n / 8, static_cast<int>(n % 8));
    } else {
      worker.flip(n, static_cast<int>(n % 8));
    }
  }
  return worker.count();
}

Count run_group(const std::string& original, const Group& group, bool quick) {
  const int workers =
      std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, max_workers);
  const Scratch scratch;
  std::vector<std::pair<pid_t, Fd>> children;
  for (int share = 0; share < workers; ++share) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
    Fd from(ends[0]);
    Fd to(ends[1]);
    const std::string dir = scratch.path + "/" + std::to_string(share);
    fs::copy(original, dir, fs::copy_options::recursive);
    fs::permissions(dir, fs::perms::owner_all);
    const pid_t child = ::fork();
    if (child == 0) {
      const Count count = run_share(dir, group, share, workers, quick);
      const bool ok = ::write(to.get(), &count, sizeof count) == sizeof count;
      ::_exit(ok ? 0 : 1);
    }
    children.emplace_back(child, std::move(from));
  }
  Count sum;
  for (auto& [child, from] : children) {
    Count count;
    const bool told = ::read(from.get(), &count, sizeof count) == sizeof count;
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!told || status != 0) give_up("a worker did not end well");
    sum.add(count);
  }
  return sum;
}

struct Totals {
  Count flips, cuts;
};

Totals run_groups(const std::string& name, const std::string& dir, const std::vector<Group>& groups,
                  bool quick) {
  Totals totals;
  for (const Group& group : groups) {
    const Count count = run_group(dir, group, quick);
    (group.cut ? totals.cuts : totals.flips).add(count);
    fmt::print("{:<14} {:<18} {:>8} {}: {} found, {} change no entry, {} missed\n", name,
               group.file, count.cases, group.cut ? "cuts" : "flips", count.found, count.harmless,
               count.missed);
    std::fflush(stdout);
  }
  return totals;
}

Totals run_killed(const std::string& name, const std::string& dir, int bits_per_byte, bool quick) {
  return run_groups(name, dir,
                    {{"journal.db", false, false, bits_per_byte},
                     {"journal.db", true, false, 8},
                     {"journal.db-wal", false, false, bits_per_byte},
                     {"journal.db-wal", true, false, 8},
                     {"journal.db.head", false, false, 8},
                     {"journal.db.head", true, false, 8},
                     {"journal.db.signed", false, true, 8}},
                    quick);
}

int run(bool quick) {
  const Scratch scratch;
  const std::string closed = scratch.path + "/closed";
  const std::string killed = scratch.path + "/killed";
  const std::string small = scratch.path + "/small";
  make_closed(closed, entries_in_all);
  make_killed(killed, entries_in_all);
  make_killed(small, entries_in_small);
  const Totals a = run_groups("closed", closed,
                              {{"journal.db", false, true, 8, true},
                               {"journal.db", true, true, 8},
                               {"journal.db.seal", false, true, 8},
                               {"journal.db.seal", true, true, 8},
                               {"journal.db.signed", false, true, 8},
                               {"journal.db.signed", true, true, 8}},
                              quick);
  Totals b = run_killed("writer killed", killed, 1, quick);
  if (!quick) {
    const Totals c = run_killed("killed, small", small, 8, quick);
    b.flips.add(c.flips);
    b.cuts.add(c.cuts);
  }
  const auto missed = a.flips.missed + a.cuts.missed + b.flips.missed + b.cuts.missed;
  fmt::print(
      "{}closed journal: {} flips found of {} ({} of them by the digest of their block), {} cuts "
      "of {}; writer killed: {} flips found of {}, {} cuts of {}, the others change no entry; {} "
      "missed\n",
      quick ? "sample: " : "", a.flips.found, a.flips.cases, a.flips.by_digest, a.cuts.found,
      a.cuts.cases, b.flips.found, b.flips.cases, b.cuts.found, b.cuts.cases, missed);
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace hitless::journal

int main(int argc, char** argv) {
  const bool quick = argc == 2 && std::string_view(argv[1]) == "--quick";
  if (argc > 1 && !quick) {
    std::fputs("usage: journal_faults [--quick]\n", stderr);
    return 64;
  }
  return hitless::journal::run(quick);
}
