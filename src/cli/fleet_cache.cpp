#include "cli/fleet_cache.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/this_coro.hpp>
#include <thread>
#include <tuple>

#include "cli/load.hpp"
#include "runtime/child.hpp"
#include "runtime/readable.hpp"

namespace hitless::cli {
namespace {

constexpr int kMaxRounds = 3;  // one under way from before, one that others began, our own

using Stamp = std::tuple<dev_t, ino_t, off_t, time_t, long>;

// Of a file that is not there: all zero, and then the read says so.
Stamp stamp_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

using Shared = Result<std::shared_ptr<const fleet::Fleet>>;

Shared read_now(const App& app) {
  auto fleet = load_fleet_quietly(app);
  if (!fleet) return tl::unexpected<Error>(fleet.error());
  return std::make_shared<const fleet::Fleet>(std::move(*fleet));
}

}  // namespace

struct FleetCache::Read {
  Stamp stamp;       // from before the read: a change in the middle of it is seen at the next call
  TimeMs began = 0;  // steady clock
  Fd done;           // an eventfd, readable for ever once it is done
  Shared fleet = fail(ErrorCode::internal, "not read");
  std::thread thread;
};

FleetCache::FleetCache() = default;

FleetCache::~FleetCache() {
  if (under_way_ && under_way_->thread.joinable()) under_way_->thread.join();
}

std::shared_ptr<FleetCache::Read> FleetCache::start(const App& app) {
  auto read = std::make_shared<Read>();
  read->stamp = stamp_of(fleet_path(app));
  read->began = steady_now_ms();
  read->done = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  read->thread = std::thread([raw = read.get(), app] {
    raw->fleet = read_now(app);
    ::eventfd_write(raw->done.get(), 1);
  });
  return read;
}

Task<Shared> FleetCache::get(const App* app, Age age) {
  const TimeMs asked = steady_now_ms();
  const Stamp now = stamp_of(fleet_path(*app));
  const auto good_enough = [&](const Read& read) {
    return read.began >= asked || (age == Age::recent && read.stamp == now);
  };
  if (age == Age::recent && kept_ && kept_->fleet && good_enough(*kept_) &&
      asked - kept_->began < kMaxAgeMs)
    co_return kept_->fleet;
  for (int round = 0; round < kMaxRounds; ++round) {
    if (!under_way_) under_way_ = start(*app);
    const std::shared_ptr<Read> read = under_way_;
    boost::asio::posix::stream_descriptor done(co_await boost::asio::this_coro::executor,
                                               ::fcntl(read->done.get(), F_DUPFD_CLOEXEC, 0));
    if (co_await wait_readable(&done)) break;
    if (under_way_ == read) {  // the first of those who waited
      read->thread.join();
      kept_ = std::move(under_way_);
    }
    if (good_enough(*read)) co_return read->fleet;
  }
  co_return fail(ErrorCode::unavailable, "the fleet file was not read to its end");
}

}  // namespace hitless::cli
