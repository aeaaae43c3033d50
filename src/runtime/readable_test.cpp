// A wake-up without cause, provoked: two descriptors become readable in the same round of events;
// who is served first closes the other, and a third one takes over its place in the reactor before
// the event of the closed one is delivered there.
#include "runtime/readable.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>

namespace hitless {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

class Readable : public testing::Test {
 protected:
  // Runs `wait` on a descriptor that has nothing to read; true: it was woken.
  bool woken(const std::function<void(Descriptor*)>& wait) {
    Descriptor first(io_, readable_end()), second(io_, readable_end());
    first.async_wait(Descriptor::wait_read, [&](auto) {
      second.close();
      third_.emplace(io_, empty_end());
      wait(&*third_);
    });
    second.async_wait(Descriptor::wait_read, [](auto) {});
    io_.run_for(std::chrono::milliseconds(50));
    return woken_;
  }
  void write_to_third() { ASSERT_EQ(::write(to_third_, "x", 1), 1); }
  void woke() { woken_ = true; }
  void run_on() {
    io_.restart();
    io_.run_for(std::chrono::seconds(10));
  }
  ~Readable() override {
    for (const int end : ends_) ::close(end);
  }

  asio::io_context io_;
  bool woken_ = false;

 private:
  int readable_end() {
    const int end = empty_end();
    EXPECT_EQ(::write(to_third_, "x", 1), 1);
    return end;
  }
  int empty_end() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    to_third_ = ends[1];
    ends_.push_back(ends[1]);
    return ends[0];
  }

  std::optional<Descriptor> third_;
  int to_third_ = -1;  // of the last pipe made
  std::vector<int> ends_;
};

// If this fails, the reactor no longer does it, and wait_readable could be plain again.
TEST_F(Readable, TheReactorWakesAWaiterWithoutCause) {
  EXPECT_TRUE(woken([this](Descriptor* third) {
    third->async_wait(Descriptor::wait_read, [this](auto) { woke(); });
  }));
}

TEST_F(Readable, AWakeUpWithoutCauseIsNoNews) {
  EXPECT_FALSE(woken([this](Descriptor* third) {
    asio::co_spawn(io_, wait_readable(third), [this](auto, auto) { woke(); });
  }));
  write_to_third();
  run_on();
  EXPECT_TRUE(woken_) << "and what can be read is";
}

}  // namespace
}  // namespace hitless
