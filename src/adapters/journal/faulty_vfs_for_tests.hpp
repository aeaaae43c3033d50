// A layer over SQLite's own file system that lets the nth write-like call fail, as a full or broken
// disk does: for tests. One at a time in a process; every database opened while it lives goes
// through it.
#pragma once
#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <string>

namespace hitless::journal {

struct FaultPlan {
  int at = 0;           // the call that fails; counted from 1
  bool sticky = false;  // and all after it
  int code = SQLITE_FULL;
  bool torn = false;  // half of the bytes of a failing write get through
};

class FaultyVfs {
 public:
  explicit FaultyVfs(FaultPlan plan) {
    real() = sqlite3_vfs_find(nullptr);
    current() = plan;
    calls() = 0;
    vfs_ = *real();
    vfs_.zName = "hitless-faulty";
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real()->szOsFile;
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultyVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real(), 1);
  }
  FaultyVfs(const FaultyVfs&) = delete;
  [[nodiscard]] int count() const { return calls(); }

 private:
  struct File {
    sqlite3_file base;
    sqlite3_io_methods methods;
  };
  static sqlite3_vfs*& real() {
    static sqlite3_vfs* vfs = nullptr;
    return vfs;
  }
  static FaultPlan& current() {
    static FaultPlan plan;
    return plan;
  }
  static std::atomic<int>& calls() {
    static std::atomic<int> count{0};
    return count;
  }
  static sqlite3_file* below(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
  }
  static bool fails() {
    const int n = ++calls();
    const FaultPlan& plan = current();
    return plan.at != 0 && (n == plan.at || (plan.sticky && n > plan.at));
  }

  static int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* got) {
    auto* own = reinterpret_cast<File*>(file);
    std::memset(own, 0, sizeof(File));
    const int code = real()->xOpen(real(), name, below(file), flags, got);
    if (below(file)->pMethods == nullptr) return code;
    set_methods(own->methods, below(file)->pMethods->iVersion);
    own->base.pMethods = &own->methods;
    return code;
  }
  static void set_methods(sqlite3_io_methods& m, int version) {
    m.iVersion = version < 2 ? version : 2;  // no memory maps
    m.xClose = [](sqlite3_file* f) { return below(f)->pMethods->xClose(below(f)); };
    m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return below(f)->pMethods->xRead(below(f), to, n, at);
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
      const bool bad = fails();
      if (bad && !current().torn) return current().code;
      const int size = bad ? n / 2 : n;
      const int code = below(f)->pMethods->xWrite(below(f), from, size, at);
      return bad ? current().code : code;
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      return fails() ? SQLITE_IOERR_TRUNCATE : below(f)->pMethods->xTruncate(below(f), size);
    };
    m.xSync = [](sqlite3_file* f, int flags) {
      return fails() ? SQLITE_IOERR_FSYNC : below(f)->pMethods->xSync(below(f), flags);
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
      return fails() ? SQLITE_IOERR_FSTAT : below(f)->pMethods->xFileSize(below(f), size);
    };
    m.xLock = [](sqlite3_file* f, int l) { return below(f)->pMethods->xLock(below(f), l); };
    m.xUnlock = [](sqlite3_file* f, int l) { return below(f)->pMethods->xUnlock(below(f), l); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
      return below(f)->pMethods->xCheckReservedLock(below(f), out);
    };
    m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return below(f)->pMethods->xFileControl(below(f), op, arg);
    };
    m.xSectorSize = [](sqlite3_file* f) { return below(f)->pMethods->xSectorSize(below(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) {
      return below(f)->pMethods->xDeviceCharacteristics(below(f));
    };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
      return below(f)->pMethods->xShmMap(below(f), page, size, extend, out);
    };
    m.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
      return below(f)->pMethods->xShmLock(below(f), offset, n, flags);
    };
    m.xShmBarrier = [](sqlite3_file* f) { below(f)->pMethods->xShmBarrier(below(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int remove) {
      return below(f)->pMethods->xShmUnmap(below(f), remove);
    };
  }

  sqlite3_vfs vfs_{};
};

}  // namespace hitless::journal
