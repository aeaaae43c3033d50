#include "adapters/host/shell_session.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "base/text.hpp"

namespace hitless::host {
namespace {

SessionSettings local_settings(std::vector<std::string> argv = {"/bin/sh"}) {
  SessionSettings settings;
  settings.name = "here";
  settings.argv = std::move(argv);
  return settings;
}

SessionCommand sh(std::string body, DurationMs deadline_ms = 60'000) {
  SessionCommand command;
  command.body = std::move(body);
  command.deadline_ms = deadline_ms;
  return command;
}

using Answer = Result<ports::ExecResult>;

// Runs the commands one after the other in one session.
std::vector<Answer> run_all(std::vector<SessionCommand> commands,
                            std::vector<std::string> argv = {"/bin/sh"}) {
  std::vector<Answer> answers;
  run_until_done([&]() -> Task<void> {
    ShellSession session(local_settings(argv));
    for (const auto& command : commands) {
      auto answer = co_await session.run(command);
      answers.push_back(std::move(answer));
    }
  });
  return answers;
}

void expect_works(const Answer& answer) {
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->exit_code, 0);
  EXPECT_EQ(answer->out, "fine\n");
  EXPECT_EQ(answer->err, "");
}

TEST(ShellSessionTest, OutputErrorsAndCodesOfManyCommands) {
  const auto answers = run_all({sh("echo out; echo err >&2; exit 7"), sh("printf ''"),
                                sh("exit 255"), sh("no-such-command-here"), sh("echo fine")});
  ASSERT_TRUE(answers[0]);
  EXPECT_EQ(answers[0]->exit_code, 7);
  EXPECT_EQ(answers[0]->out, "out\n");
  EXPECT_EQ(answers[0]->err, "err\n");
  EXPECT_EQ(answers[1]->out, "");
  EXPECT_EQ(answers[2]->exit_code, 255) << "255 is an exit code, not a lost connection";
  EXPECT_EQ(answers[3]->exit_code, 127);
  expect_works(answers[4]);
}

TEST(ShellSessionTest, CommandsCannotChangeTheSession) {
  const auto answers = run_all({sh("cd /tmp; PATH=/nowhere; export PATH; set -e; umask 0; false"),
                                sh("trap 'echo trapped' EXIT; exec 1>&- 2>&-"),
                                sh("pwd; ls / >/dev/null && umask")});
  EXPECT_EQ(answers[0]->exit_code, 1);
  ASSERT_TRUE(answers[2]);
  EXPECT_TRUE(answers[2]->out.starts_with("/\n")) << answers[2]->out;
  EXPECT_EQ(answers[2]->out.find("0000"), std::string::npos);
}

TEST(ShellSessionTest, SyntaxErrorsAndUnclosedQuotesStayInTheirCommand) {
  const auto answers = run_all({sh("eval 'if then fi ('"), sh("eval 'echo \"'"), sh("echo fine")});
  EXPECT_NE(answers[0]->exit_code, 0);
  EXPECT_NE(answers[1]->exit_code, 0);
  expect_works(answers[2]);
}

TEST(ShellSessionTest, StdinIsTheInputAndNothingElse) {
  std::string binary;
  for (int i = 0; i < 200'000; ++i) binary += static_cast<char>(i * 31);
  auto with_input = sh("cat");
  with_input.input = binary;
  const auto answers =
      run_all({sh("cat; read line; echo \"[$line]\""), with_input, sh("exit 3"), sh("echo fine")});
  EXPECT_EQ(answers[0]->out, "[]\n") << "the script stream must not be readable";
  EXPECT_TRUE(answers[1]->out == binary);
  EXPECT_EQ(answers[2]->exit_code, 3);
  expect_works(answers[3]);
}

TEST(ShellSessionTest, InputThatIsNotReadAndItsExitCode) {
  auto unread = sh("exit 9");
  unread.input = std::string(3'000'000, 'x');
  const auto answers = run_all({unread, sh("echo fine")});
  ASSERT_TRUE(answers[0]) << answers[0].error().what;
  EXPECT_EQ(answers[0]->exit_code, 9);
  expect_works(answers[1]);
}

TEST(ShellSessionTest, OutputThatImitatesFramesIsOutput) {
  const std::string fake = "\n0123456789abcdef0123456789abcdef e 0\n";
  auto imitate = sh("cat; cat >&2");
  imitate.input = fake;
  const auto answers =
      run_all({imitate, sh("printf '\\n%s b\\n\\n%s e 0\\n' x x; exit 4"), sh("echo fine")});
  EXPECT_EQ(answers[0]->out, fake);
  EXPECT_EQ(answers[1]->exit_code, 4);
  expect_works(answers[2]);
}

TEST(ShellSessionTest, AGigabyteIsDroppedNotKept) {
  auto flood = sh("head -c 1073741824 /dev/zero; echo end >&2", 300'000);
  flood.max_output_bytes = 1000;
  const auto answers = run_all({flood, sh("echo fine")});
  ASSERT_TRUE(answers[0]) << answers[0].error().what;
  EXPECT_EQ(answers[0]->out.size(), 1000u);
  EXPECT_TRUE(answers[0]->truncated);
  EXPECT_EQ(answers[0]->err, "end\n");
  expect_works(answers[1]);
}

TEST(ShellSessionTest, AHangEndsAtTheDeadlineAndTheNextUseReconnects) {
  const auto answers = run_all({sh("sleep 600", 300), sh("echo fine")});
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().code, ErrorCode::timed_out);
  EXPECT_EQ(answers[0].error().where, "here");
  expect_works(answers[1]);
}

TEST(ShellSessionTest, AKilledShellIsALostTransportEvenWhenItsPipesStayOpen) {
  const auto answers =
      run_all({sh("kill -KILL $$; sleep 5"), sh("echo fine"), sh("kill -KILL $$")});
  ASSERT_FALSE(answers[0]);
  EXPECT_EQ(answers[0].error().code, ErrorCode::transport_lost);
  expect_works(answers[1]);
  EXPECT_EQ(answers[2].error().code, ErrorCode::transport_lost);
}

TEST(ShellSessionTest, ABackgroundChildWithThePipesDoesNotHoldUs) {
  const auto answers = run_all({sh("sleep 30 & echo started"), sh("echo fine")});
  ASSERT_TRUE(answers[0]);
  EXPECT_EQ(answers[0]->out, "started\n");
  expect_works(answers[1]);
}

TEST(ShellSessionTest, NoShellAtAllIsUnavailable) {
  const auto missing = run_all({sh("true")}, {"/no/such/shell"});
  EXPECT_EQ(missing[0].error().code, ErrorCode::unavailable);
  const auto not_a_shell = run_all({sh("true")}, {"/bin/false"});
  EXPECT_EQ(not_a_shell[0].error().code, ErrorCode::unavailable);
  EXPECT_EQ(not_a_shell[0].error().where, "here");
}

TEST(ShellSessionTest, AShellThatNeverAnswersIsGivenUp) {
  run_until_done([]() -> Task<void> {
    auto settings = local_settings({"sleep", "600"});
    settings.connect_deadline_ms = 300;
    ShellSession session(settings);
    const auto answer = co_await session.run(sh("true"));
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::unavailable) << "nothing was started";
  });
}

TEST(ShellSessionTest, NoiseBeforeTheShellIsSkipped) {
  const auto answers =
      run_all({sh("echo fine")}, {"/bin/sh", "-c", "echo Welcome; echo motd >&2; exec /bin/sh"});
  expect_works(answers[0]);
}

TEST(ShellSessionTest, ManyAtOnceAreServedInTurnAndTheQueueIsBounded) {
  int good = 0;
  int refused = 0;
  run_until_done([&]() -> Task<void> {
    ShellSession session(local_settings());
    auto one = [&](int i) -> Task<void> {
      const auto answer = co_await session.run(sh("echo " + std::to_string(i)));
      if (answer && answer->out == std::to_string(i) + "\n") ++good;
      if (!answer && answer.error().code == ErrorCode::refused) ++refused;
    };
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(one(i));
    co_await join_all(std::move(tasks));
    EXPECT_EQ(session.generation(), 1);
  });
  EXPECT_EQ(good, 64);
  EXPECT_EQ(refused, 36);
}

TEST(ShellSessionTest, ACancelledCommandDoesNotLeakIntoTheNext) {
  run_until_done([]() -> Task<void> {
    ShellSession session(local_settings());
    auto hang = [&]() -> Task<void> { co_await session.run(sh("echo mine; sleep 600")); };
    const bool in_time = co_await finish_within(hang(), 300);
    EXPECT_FALSE(in_time);
    expect_works(co_await session.run(sh("echo fine")));
    EXPECT_EQ(session.generation(), 2);
  });
}

TEST(ShellSessionTest, AShellThatDiedBetweenCommandsIsReplacedUnnoticed) {
  run_until_done([]() -> Task<void> {
    ShellSession session(local_settings());
    expect_works(co_await session.run(sh("echo fine")));
    ::kill(session.pid(), SIGKILL);
    co_await sleep_for(50);
    expect_works(co_await session.run(sh("echo fine")));
  });
}

}  // namespace
}  // namespace hitless::host
