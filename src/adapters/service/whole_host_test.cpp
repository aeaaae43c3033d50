#include "adapters/service/whole_host.hpp"

#include <gtest/gtest.h>

namespace hitless::service {
namespace {

using core::OutcomeStatus;

OutcomeStatus of_exit(int code) {
  ports::ExecResult ran;
  ran.exit_code = code;
  return outcome_of_reboot(ran).status;
}

OutcomeStatus of_error(ErrorCode code) {
  return outcome_of_reboot(fail(code, "x")).status;
}

TEST(WholeHost, OnlyOurOwnRefusalSaysThatItIsNotRebooting) {
  EXPECT_EQ(of_exit(0), OutcomeStatus::ok);
  EXPECT_EQ(of_exit(96), OutcomeStatus::ok) << "it is another boot already";
  EXPECT_EQ(of_exit(97), OutcomeStatus::failed);
  EXPECT_EQ(of_exit(98), OutcomeStatus::failed);
  for (const int code : {1, 99, 137, 143}) {
    EXPECT_EQ(of_exit(code), OutcomeStatus::unknown)
        << code << ": the shutdown kills whoever asked for it";
  }
  EXPECT_EQ(of_error(ErrorCode::refused), OutcomeStatus::failed);
  EXPECT_EQ(of_error(ErrorCode::unavailable), OutcomeStatus::failed) << "nothing was started";
  EXPECT_EQ(of_error(ErrorCode::transport_lost), OutcomeStatus::unknown);
  EXPECT_EQ(of_error(ErrorCode::timed_out), OutcomeStatus::unknown);
}

}  // namespace
}  // namespace hitless::service
