// The whole story on this machine. Each act runs the real program as a user would; the demo only
// sets the stage, counts the clients' requests, and checks at the end that everything came out as
// it should.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <thread>

#include "base/time.hpp"
#include "cli/app.hpp"
#include "cli/certificate_store.hpp"
#include "demo/world.hpp"

extern char** environ;

namespace hitless::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;
constexpr DurationMs kReceiverWaitMs = 5'000;
constexpr int kMaxRollouts = 20;

struct Demo {
  App& app;
  std::unique_ptr<demo::DemoWorld> world;
  std::unique_ptr<witness::Prober> clients, downloads;
  std::string program, fleet, state;
  std::vector<std::pair<std::string, bool>> results;
  std::vector<std::string> doubts;

  void expect(const std::string& what, bool came_true) { results.emplace_back(what, came_true); }
};

void say(const App& app, const std::string& text) {
  fmt::print("{}\n", app.out.plain(text));
  std::fflush(stdout);
}

// Runs hitless itself with our streams; its Ctrl-C is its own.
int run_hitless(Demo& demo, std::vector<std::string> args) {
  std::string shown = "hitless";
  for (const std::string& arg : args) shown += " " + arg;
  say(demo.app, "\n" + demo.app.out.paint(Ink::bold, "$ " + shown));
  std::vector<std::string> argv{demo.program};
  argv.insert(argv.end(), args.begin(), args.end());
  if (demo.app.options.color == ColorWish::never) argv.push_back("--no-color");
  std::vector<char*> raw;
  for (std::string& arg : argv) raw.push_back(arg.data());
  raw.push_back(nullptr);
  pid_t pid = -1;
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGTERM);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const int spawned =
      posix_spawn(&pid, demo.program.c_str(), nullptr, &attributes, raw.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (spawned != 0) return kError;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kError;
}

void wait_for_key(const Demo& demo, const char* next) {
  if (demo.app.options.no_input || isatty(STDIN_FILENO) != 1 || interrupted != 0) return;
  fmt::print("\n{} ", demo.app.out.paint(Ink::dim, std::string("Enter: ") + next));
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
}

std::string counts(const Demo& demo) {
  const auto a = demo.clients->snapshot();
  const auto b = demo.downloads->snapshot();
  return fmt::format("clients so far: {} requests, {} lost", a.sent + b.sent, a.lost + b.lost);
}

void act_one(Demo& demo) {
  say(demo.app,
      demo.app.out.paint(
          Ink::bold,
          "\n== 1. A new configuration (one more server in the upstream pool), by reload"));
  Status offered = demo.world->offer(demo::ConfigSource::good);
  demo.expect("new configuration prepared", offered.has_value());
  const int code = run_hitless(demo, {"apply", "web", "--yes"});
  demo.expect("new configuration rolled out by reload (exit 0)", code == kOk);
  say(demo.app, counts(demo));
}

void act_two(Demo& demo) {
  say(demo.app, demo.app.out.paint(Ink::bold, "\n== 2. A full restart of every instance"));
  const int code = run_hitless(demo, {"restart", "web", "--yes"});
  demo.expect("all three restarted (exit 0)", code == kOk);
  say(demo.app, counts(demo));
}

// The receiver answers in its own thread; a failed rollout must have told it, with the audit log.
bool receiver_was_told(Demo& demo) {
  const TimeMs end = wall_now_ms() + kReceiverWaitMs;
  while (wall_now_ms() < end) {
    for (const demo::WebhookDelivery& delivery : demo.world->receiver().deliveries()) {
      const bool failure = delivery.body.find("\"rolled_back\"") != std::string::npos;
      const bool incident = delivery.body.find("INC-") != std::string::npos;
      const bool log = delivery.body.find("-audit.jsonl") != std::string::npos;
      if (failure && incident && log) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

void act_three(Demo& demo) {
  say(demo.app,
      demo.app.out.paint(
          Ink::bold, "\n== 3. A sabotaged configuration: `nginx -t` likes it, but it answers 502"));
  Status offered = demo.world->offer(demo::ConfigSource::sabotaged);
  demo.expect("sabotaged configuration prepared", offered.has_value());
  const int code = run_hitless(demo, {"apply", "web", "--yes"});
  demo.expect("sabotage caught and rolled back by itself (exit 3)", code == kRolledBack);
  demo.expect("incident opened", run_hitless(demo, {"incident"}) == kOk && code == kRolledBack);
  demo.expect("notification with the audit log delivered to the receiver", receiver_was_told(demo));
  say(demo.app, counts(demo));
}

// What the witness said of each rollout. The machine may be too busy for a prober to prove
// anything; that is no fault of a rollout.
void check_certificates(Demo& demo) {
  App app = demo.app;
  app.options.state_dir = demo.state;
  auto journal = open_journal(app, false);
  if (!journal) return demo.expect("certificates: " + describe(journal.error()), false);
  const auto rows = (*journal)->rollouts(kMaxRollouts);
  if (!rows) return demo.expect("certificates: " + describe(rows.error()), false);
  for (auto row = rows->rbegin(); row != rows->rend(); ++row) {
    const auto certificate = get_certificate(**journal, row->rollout);
    const std::string verdict = certificate ? verdict_text(*certificate) : "none was made";
    const std::string text =
        fmt::format("zero-drop certificate of {} ({}): {}", row->rollout, row->intent, verdict);
    if (certificate && certificate->verdict == witness::Verdict::unknown)
      demo.doubts.push_back(text);
    else
      demo.expect(text, certificate && certificate->verdict == witness::Verdict::confirmed);
  }
}

// The local host driver keeps records of operations there while they run; empty, it is only litter.
void remove_operations_folder() {
  const std::string name = "hitless-ops-" + std::to_string(getuid());
  (void)rmdir(("/run/" + name).c_str());
  (void)rmdir(("/tmp/" + name).c_str());
}

int conclude(Demo& demo) {
  run_hitless(demo, {"history"});
  demo.expect("journal intact (hitless audit verify)",
              run_hitless(demo, {"audit", "verify"}) == kOk);
  demo.expect("every rollout replays to the same state (hitless audit replay)",
              run_hitless(demo, {"audit", "replay"}) == kOk);
  check_certificates(demo);
  demo.clients->request_stop();
  demo.downloads->request_stop();
  const auto a = demo.clients->stop();
  const auto b = demo.downloads->stop();
  demo.expect(fmt::format("{} client requests sent, {} lost", a.sent + b.sent, a.lost + b.lost),
              a.lost + b.lost == 0 && a.trustworthy() && b.trustworthy());
  for (const witness::ProberSnapshot* each : {&a, &b}) {
    for (const witness::Loss& loss : each->recent_losses) {
      fmt::print("  lost: {} {} {} {} {}\n", format_clock(loss.at_ms), witness::name_of(loss.type),
                 loss.path, witness::name_of(loss.kind), loss.detail);
    }
    if (!each->not_sent_why.empty())
      fmt::print("  {} requests could not be sent: {}\n", each->not_sent, each->not_sent_why);
  }
  const Status gone = demo.world->down();
  remove_operations_folder();
  demo.expect("nothing left behind", gone.has_value());
  if (!gone) print_error(demo.app, gone.error());
  bool all = interrupted == 0;
  say(demo.app, demo.app.out.paint(Ink::bold, "\n== What came of it"));
  for (const auto& [what, ok] : demo.results) {
    const Terminal& t = demo.app.out;
    say(demo.app,
        "  " + (ok ? t.paint(Ink::good, t.tick()) : t.paint(Ink::bad, t.cross())) + " " + what);
    all &= ok;
  }
  for (const std::string& doubt : demo.doubts)
    say(demo.app, "  " + demo.app.out.paint(Ink::warn, "?") + " " + doubt);
  say(demo.app, all ? "\nNext: write your own hitless.yaml (examples/hitless.yaml), then `hitless "
                      "check` and `hitless plan SERVICE`."
                    : "");
  return all ? kOk : (interrupted != 0 ? kDetached : kError);
}

// Without SA_RESTART, so that Ctrl-C also ends the wait for a key.
void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = 1; };
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

Status set_up(Demo& demo) {
  char path[4096] = "";
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return fail(ErrorCode::internal, "cannot find this program's own path");
  demo.program = std::string(path, static_cast<std::size_t>(length));
  auto world = demo::DemoWorld::up();
  if (!world) return tl::unexpected<Error>(world.error());
  demo.world = std::move(*world);
  demo.fleet = demo.world->fleet_path();
  demo.state = demo.world->dir() + "/state";
  setenv("HITLESS_FLEET", demo.fleet.c_str(), 1);
  setenv("HITLESS_STATE_DIR", demo.state.c_str(), 1);
  setenv("HITLESS_DEMO_SECRET", demo.world->webhook_secret().c_str(), 1);
  demo.clients = std::make_unique<witness::Prober>(demo.world->clients());
  demo.downloads = std::make_unique<witness::Prober>(demo.world->slow_downloads());
  if (Status started = demo.clients->start(); !started) return started;
  return demo.downloads->start();
}

}  // namespace

int verb_demo(App& app) {
  catch_interrupts();
  Demo demo{app, nullptr, nullptr, nullptr, {}, {}, {}, {}, {}};
  say(app,
      "Starting HAProxy, three nginx instances, their api-gateway and steady clients on "
      "loopback...");
  if (Status ready = set_up(demo); !ready) return failed(app, ready.error());
  demo.expect("fleet file checks", run_hitless(demo, {"check"}) == kOk);
  using Act = void (*)(Demo&);
  static constexpr std::pair<const char*, Act> kActs[] = {{"roll out a new configuration", act_one},
                                                          {"restart everything", act_two},
                                                          {"sabotage it", act_three}};
  for (const auto& [what, act] : kActs) {
    wait_for_key(demo, what);
    if (interrupted == 0) act(demo);
  }
  return conclude(demo);
}

}  // namespace hitless::cli
