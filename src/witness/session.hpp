// One rollout watched: its probers, the counters that the caller reads, the timeline; at the end
// the certificate. The only thing that engine and CLI need of this folder.
//
//   Session watch(probers, instances);  watch.start();        the baseline begins
//   … at least a few seconds …          watch.enter(Window::rollout);
//   for each journal entry:             watch.saw(entry.event);
//   now and then, and once before the rollout and once after it:   watch.add(source, sample);
//   watch.enter(Window::soak);  …  watch.enter(Window::after);  auto result = watch.finish();
//
// Not thread-safe but for what Prober promises. A prober that does not start is a problem of the
// certificate (unknown), never a reason to stop a rollout. After a crash nothing is left: unknown.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/event.hpp"
#include "witness/certificate.hpp"

namespace hitless::witness {

struct NamedProber {
  std::string name;  // its URL
  ProberConfig config;
};

struct CounterSource {
  SourceKind kind = SourceKind::load_balancer;
  std::string name;  // "be_web @ lb-1/n1", "web01"
  bool sees_all_probes = false;
  bool required = true;
  std::vector<std::string> instances = {};  // host: those of the service that are on it
};

struct Watched {
  Certificate certificate;
  std::vector<ProberRecord> probers;  // for the report
};

class Session {
 public:
  Session(std::vector<NamedProber> probers, std::vector<std::string> instances,
          CertificateRules rules = {});

  void start();
  void enter(Window window);
  void saw(const core::Event& event);  // takes what is a step of an instance
  void add(const CounterSource& source, CounterSample sample);
  // Of these a required one that gave no sample makes it unknown.
  void expect(const CounterSource& source);
  // Where the probers run: counters of that machine are of everything on it.
  void runs_on(std::string machine);
  [[nodiscard]] std::vector<std::string> id_prefixes() const;  // for ask_executions
  void executed(Executions executions);

  [[nodiscard]] std::vector<ProberSnapshot> snapshots() const;
  [[nodiscard]] std::string line() const;  // "18204 probes, 0 lost    p95 44.0ms"
  // Waits for what is in flight, at most one timeout of the slowest prober.
  Watched finish();

 private:
  CounterSeries& series_of(const CounterSource& source);

  struct Running {
    std::string name;
    double rate_per_s = 0;
    std::unique_ptr<Prober> prober;
  };
  std::vector<Running> probers_;
  std::vector<std::string> problems_;
  CertificateInput input_;
};

}  // namespace hitless::witness
