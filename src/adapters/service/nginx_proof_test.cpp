#include "adapters/service/nginx_proof.hpp"

#include <gtest/gtest.h>

namespace hitless::service {
namespace {

using core::ServiceIdentity;
using core::ServiceVerdict;

ServiceIdentity nginx(std::vector<std::string> workers) {
  ServiceIdentity identity;
  identity.active = true;
  identity.state = "active/running";
  identity.main_pid = 812;
  identity.start_time = "1000";
  identity.workers = std::move(workers);
  return identity;
}

std::string log(const std::string& level, const std::string& message, int pid = 812) {
  return "2026/02/18 14:04:43 [" + level + "] " + std::to_string(pid) + "#" + std::to_string(pid) +
         ": " + message;
}

const char* const kBind = "bind() to 0.0.0.0:80 failed (98: Address already in use)";

struct Case {
  std::string name;
  ServiceIdentity now;
  std::vector<std::string> log_lines;
  ServiceVerdict verdict;
  std::string says;
  bool log_known = true;
};

TEST(NginxProof, Table) {
  const ServiceIdentity before = nginx({"813:1001", "814:1001"});
  const std::vector<std::string> fresh{"901:5000", "902:5000"};
  ServiceIdentity gone = nginx({});
  gone.active = false;
  gone.main_pid = 0;
  ServiceIdentity restarted = nginx(fresh);
  restarted.main_pid = 900;
  restarted.start_time = "4999";
  ServiceIdentity reused = nginx(fresh);
  reused.start_time = "4999";
  const std::vector<Case> cases = {
      {"good", nginx(fresh), {}, ServiceVerdict::proven, "2 new workers"},
      {"not yet",
       nginx({"813:1001", "814:1001"}),
       {},
       ServiceVerdict::indeterminate,
       "no new worker yet"},
      {"both generations accept",
       nginx({"813:1001", "814:1001", "901:5000"}),
       {},
       ServiceVerdict::indeterminate,
       "2 workers of before still accept"},
      {"same pid, new process",
       nginx({"813:6000", "814:6000"}),
       {},
       ServiceVerdict::proven,
       "2 new workers"},
      {"zone key",
       nginx({"813:1001"}),
       {log("emerg",
            "limit_req \"a\" uses the \"$uri\" key while previously it used the \"$host\" key")},
       ServiceVerdict::not_applied,
       "limit_req \"a\""},
      {"an emerg outweighs new workers",
       nginx(fresh),
       {log("emerg",
            "cache \"c\" uses the \"/x\" cache path while previously it used the \"/y\" cache "
            "path")},
       ServiceVerdict::not_applied,
       "cache \"c\""},
      {"bind is being retried",
       nginx({"813:1001"}),
       {log("emerg", kBind)},
       ServiceVerdict::indeterminate,
       kBind},
      {"bind given up",
       nginx({"813:1001"}),
       {log("emerg", kBind), log("emerg", kBind), log("emerg", "still could not bind()")},
       ServiceVerdict::not_applied,
       "still could not bind"},
      {"bind worked at the third try",
       nginx(fresh),
       {log("emerg", kBind), log("emerg", kBind)},
       ServiceVerdict::proven,
       "2 new workers"},
      {"somebody else's nginx -t",
       nginx(fresh),
       {log("emerg", "unknown directive \"x\"", 4711)},
       ServiceVerdict::proven,
       "2 new workers"},
      {"a worker's own trouble with a client",
       nginx(fresh),
       {log("crit", "SSL_do_handshake() failed", 901)},
       ServiceVerdict::proven,
       ""},
      {"workers die of it",
       nginx(fresh),
       {log("alert", "worker process 901 exited on signal 11")},
       ServiceVerdict::flapping,
       "signal 11"},
      {"workers cannot start",
       nginx({}),
       {log("alert", "worker process 901 exited with fatal code 2 and cannot be respawned")},
       ServiceVerdict::flapping,
       "fatal code 2"},
      {"other alert of the master",
       nginx(fresh),
       {log("alert", "unlink() \"/x\" failed")},
       ServiceVerdict::indeterminate,
       "unlink()"},
      {"master gone", gone, {}, ServiceVerdict::down, "812 is gone"},
      {"restarted", restarted, {}, ServiceVerdict::indeterminate, "812 → 900"},
      {"reused master pid", reused, {}, ServiceVerdict::indeterminate, "not reloaded"},
      {"log unreadable", nginx(fresh), {}, ServiceVerdict::indeterminate, "cannot be read", false},
      {"lines that are no log lines",
       nginx(fresh),
       {"", "[emerg]", "x [emerg] 812#812: y", std::string(50, '[')},
       ServiceVerdict::proven,
       ""},
  };
  for (const Case& c : cases) {
    const auto reading = prove_nginx_reload(before, c.now, c.log_known, c.log_lines);
    EXPECT_EQ(reading.verdict, c.verdict) << c.name << ": " << reading.evidence;
    EXPECT_NE(reading.evidence.find(c.says), std::string::npos)
        << c.name << ": " << reading.evidence;
  }
}

TEST(NginxProof, WithoutAReadingBeforeNothingIsProven) {
  EXPECT_EQ(prove_nginx_reload(ServiceIdentity{}, nginx({"901:5000"}), true, {}).verdict,
            ServiceVerdict::indeterminate);
  EXPECT_EQ(prove_nginx_reload(nginx({}), nginx({"901:5000"}), true, {}).verdict,
            ServiceVerdict::indeterminate);
}

TEST(NginxProof, EvidenceIsRedacted) {
  const ServiceIdentity before = nginx({"813:1001"});
  const auto reading = prove_nginx_reload(before, before, true,
                                          {log("emerg", "invalid parameter \"password=hunter2\"")});
  EXPECT_EQ(reading.verdict, ServiceVerdict::not_applied);
  EXPECT_EQ(reading.evidence.find("hunter2"), std::string::npos) << reading.evidence;
}

TEST(NginxProof, ParsesALine) {
  const auto line = parse_nginx_log_line(log("emerg", "bind() to [::]:80 failed"));
  ASSERT_TRUE(line);
  EXPECT_EQ(line->level, "emerg");
  EXPECT_EQ(line->pid, 812);
  EXPECT_EQ(line->message, "bind() to [::]:80 failed");
}

}  // namespace
}  // namespace hitless::service
