// hitless-certify: can the certificate say no? Runs the cases in a few processes, prints a table
// and, last, the figure. Exit 0: no false confirmation, no false refutation, every loss found.
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <new>

#include "certify/cases.hpp"
#include "certify/load.hpp"

namespace hitless::certify {
namespace {

using witness::Verdict;

constexpr unsigned kWorkers = 6;
constexpr int kTries = 3;  // a case that this machine was too busy for is tried again

struct Options {
  bool quick = false, load = false, verbose = false;
  std::string only;
};

struct Line {  // what a worker tells
  int index = 0, verdict = 0, lost = 0, truth = 0, attributed = 0, near_misses = 0, twice = 0;
  char reason[320] = {};
};

bool as_expected(const Case& c, const Line& line) {
  if (line.verdict != static_cast<int>(c.expected)) return false;
  if (c.expected == Verdict::refuted && !c.retry_all) {
    if (c.noise_every_01 > 0) return line.lost >= c.k;
    return line.lost == line.truth && line.attributed != 0 &&
           (c.exact ? line.truth == c.k : line.truth >= c.k);
  }
  if (c.retry_all) return line.twice == c.k;
  return c.trick != Trick::retried || line.near_misses > 0;
}

Line to_line(int index, const CaseResult& result) {
  const witness::Certificate& made = result.certificate;
  Line line;
  line.index = index;
  line.verdict = result.problem.empty() ? static_cast<int>(made.verdict) : -1;
  for (const auto& lost : made.losses) line.lost += lost.blame == witness::Blame::ours ? 1 : 0;
  line.truth = result.truth;
  line.attributed = result.attributed ? 1 : 0;
  line.near_misses = static_cast<int>(made.near_misses.size());
  line.twice = static_cast<int>(made.duplicates.size());
  std::string reason = result.problem;
  if (reason.empty() && !made.reasons.empty()) reason = made.reasons[0];
  reason.copy(line.reason, sizeof line.reason - 1);
  return line;
}

void work(const std::vector<Case>& cases, std::atomic<int>* next, int out, bool verbose) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i; (i = (*next)++) < static_cast<int>(cases.size());) {
    const Case& c = cases[static_cast<std::size_t>(i)];
    Line line;
    for (int tries = 0; tries < kTries; ++tries) {
      const CaseResult result = run_case(c);
      line = to_line(i, result);
      if (verbose) fmt::print(stderr, "{}\n{}", c.name, certificate_text(result.certificate));
      if (as_expected(c, line)) break;
      // A false confirmation is never tried again.
      if (line.verdict == static_cast<int>(Verdict::confirmed)) break;
      if (!result.starved && result.problem.empty()) break;
    }
    if (::write(out, &line, sizeof line) != static_cast<ssize_t>(sizeof line)) return;
  }
}

struct Sums {
  int cases = 0, false_confirmations = 0, false_refutations = 0, other = 0, lost = 0, found = 0;
};

void add(const Case& c, const Line& line, Sums* sums) {
  const auto verdict = static_cast<Verdict>(line.verdict);
  ++sums->cases;
  if (c.expected != Verdict::confirmed && verdict == Verdict::confirmed) {
    ++sums->false_confirmations;
  } else if (c.expected != Verdict::refuted && verdict == Verdict::refuted) {
    ++sums->false_refutations;
  } else if (!as_expected(c, line)) {
    ++sums->other;
  }
  if (c.expected != Verdict::refuted || c.noise_every_01 > 0) return;
  sums->lost += line.truth;
  if (line.attributed != 0) sums->found += std::min(line.lost, line.truth);
}

void print_line(const Case& c, const Line& line) {
  const char* said =
      line.verdict < 0 ? "not run" : witness::name_of(static_cast<Verdict>(line.verdict));
  fmt::print("{}  {:<46} {:<9} {:<9} {:>3}/{:<3} {}\n", as_expected(c, line) ? "ok " : "BAD",
             c.name, witness::name_of(c.expected), said, line.lost, line.truth, line.reason);
  std::fflush(stdout);
}

int run(const Options& options) {
  std::vector<Case> cases = options.quick ? quick_cases() : all_cases();
  std::erase_if(cases,
                [&](const Case& c) { return c.name.find(options.only) == std::string::npos; });
  void* shared = ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int pipe_ends[2];
  if (shared == MAP_FAILED || ::pipe(pipe_ends) != 0) return 1;
  auto* next = new (shared) std::atomic<int>(0);
  std::vector<pid_t> workers;
  for (unsigned slot = 0; slot < kWorkers; ++slot) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(pipe_ends[0]);
      use_port_slot(slot);
      work(cases, next, pipe_ends[1], options.verbose);
      std::fflush(nullptr);
      ::_exit(0);
    }
    workers.push_back(pid);
  }
  ::close(pipe_ends[1]);
  fmt::print("     {:<46} {:<9} {:<9} {:>7} {}\n", "case", "expected", "said", "lost/of", "why");
  Sums sums;
  Line line;
  while (::read(pipe_ends[0], &line, sizeof line) == static_cast<ssize_t>(sizeof line)) {
    const Case& c = cases[static_cast<std::size_t>(line.index)];
    print_line(c, line);
    add(c, line, &sums);
  }
  for (const pid_t pid : workers) ::waitpid(pid, nullptr, 0);
  const int missing = static_cast<int>(cases.size()) - sums.cases;
  fmt::print(
      "certify: {} cases, {} false confirmations, {} false refutations, {} not as expected, {} not "
      "run; {} of {} planted losses found and attributed\n",
      sums.cases, sums.false_confirmations, sums.false_refutations, sums.other, missing, sums.found,
      sums.lost);
  const int bad = sums.false_confirmations + sums.false_refutations + sums.other + missing;
  return bad == 0 && sums.cases > 0 ? 0 : 1;
}

}  // namespace
}  // namespace hitless::certify

int main(int argc, char** argv) {
  using namespace hitless::certify;
  CLI::App app("Can the certificate say no?");
  Options options;
  app.add_flag("--quick", options.quick, "fewer cases");
  app.add_flag("--load", options.load, "what the prober costs at 2,000 requests a second");
  app.add_flag("--verbose", options.verbose, "print each certificate to stderr");
  app.add_option("--only", options.only, "cases whose name holds this");
  CLI11_PARSE(app, argc, argv);
  return options.load ? measure_load(2000, 10) : run(options);
}
