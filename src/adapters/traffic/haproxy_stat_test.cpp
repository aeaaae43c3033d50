// Parsers and the reading of a server's state, on text taken from HAProxy 2.6.12.
#include "adapters/traffic/haproxy_stat.hpp"

#include <gtest/gtest.h>

#include "adapters/traffic/haproxy_node.hpp"
#include "adapters/traffic/haproxy_report.hpp"
#include "adapters/traffic/haproxy_socket.hpp"

namespace hitless::traffic {
namespace {

using core::AdminState;
using core::LbCheck;

constexpr const char* header =
    "# pxname,svname,qcur,scur,stot,econ,status,check_status,check_desc,mode,";

std::string stat(const std::string& rows) {
  return std::string(header) + "\n" + rows;
}

TEST(HaproxyStat, FindsColumnsByName) {
  auto table = parse_stat(stat("be,s1,1,2,30,4,UP,L7OK,\"a, \"\"b\"\"\nc\",http,\n"
                               "be,BACKEND,0,2,30,4,UP,,,http,\nother,s1,9,9,9,9,UP,,,http,\n"),
                          "be");
  ASSERT_TRUE(table) << describe(table.error());
  ASSERT_EQ(table->servers.size(), 1u);
  const StatRow& row = table->servers.at("s1");
  EXPECT_EQ(row.queued, 1);
  EXPECT_EQ(row.sessions, 2);
  EXPECT_EQ(row.total, 30);
  EXPECT_EQ(row.connect_errors, 4);
  EXPECT_FALSE(row.responses_5xx) << "a column that is not there is empty, not 0";
  EXPECT_TRUE(table->backend);
}

TEST(HaproxyStat, RefusesWhatIsCutOrForeign) {
  EXPECT_FALSE(parse_stat("", "be"));
  EXPECT_FALSE(parse_stat("No such proxy.\n", "be"));
  EXPECT_FALSE(parse_stat("# pxname,svname\nbe,s1\n", "be")) << "columns missing";
  EXPECT_FALSE(parse_stat(stat("be,s1,1,2,30"), "be")) << "cut in a row";
  EXPECT_FALSE(parse_stat(stat("be,s1,1,2,30\n"), "be")) << "short row";
  EXPECT_FALSE(parse_stat(stat("be,s1,1,2,30,4,UP,L7OK,\"open,http,\n"), "be")) << "open quote";
  EXPECT_FALSE(parse_stat(stat("be,s1,0,0,0,0,UP,,,http,\nbe,s1,0,0,0,0,UP,,,http,\n"), "be"));
}

TEST(HaproxyStat, NumbersThatAreNoneAreEmpty) {
  auto table = parse_stat(stat("be,s1,,-1,1e3,4x,UP,,,http,\n"), "be");
  ASSERT_TRUE(table);
  const StatRow& row = table->servers.at("s1");
  EXPECT_FALSE(row.queued);
  EXPECT_FALSE(row.sessions);
  EXPECT_FALSE(row.total);
  EXPECT_FALSE(row.connect_errors);
}

TEST(HaproxyStat, ServersState) {
  const std::string text =
      "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
      "srv_check_state\n"
      "3 be 1 s1 127.0.0.1 2 8 1 6\n3 be 2 s2 127.0.0.1 0 5 1 14\n4 other 1 s1 - 2 0 1 0\n";
  auto states = parse_servers_state(text, "be");
  ASSERT_TRUE(states);
  ASSERT_EQ(states->size(), 2u);
  EXPECT_EQ(states->at("s1").admin, 8);
  EXPECT_EQ(states->at("s2").check_state, 14);
  EXPECT_EQ(states->at("s2").backend_id, 3);
  EXPECT_FALSE(parse_servers_state("Can't find backend.\n", "be"));
  EXPECT_FALSE(parse_servers_state(text.substr(0, text.size() - 4), "other")) << "short row";
  EXPECT_FALSE(parse_servers_state("2" + text.substr(1), "be")) << "another format version";
}

TEST(HaproxyStat, ProcessList) {
  auto list = parse_proc(
      "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"
      "17096           master          1 [failed: 2]   0d00h04m10s     2.6.12-1+deb12u4\n"
      "# workers\n21356           worker          0               0d00h00m01s     2.6.12\n"
      "# old workers\n17099           worker          1               0d00h04m10s     2.6.12\n"
      "# programs\n400 prog 0 0d\n");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->workers, std::vector<std::int64_t>{21356});
  EXPECT_EQ(list->old_workers, std::vector<std::int64_t>{17099});
  EXPECT_EQ(list->failed_reloads, 2);
  EXPECT_FALSE(parse_proc("Unknown command\n"));
  EXPECT_FALSE(parse_proc(""));
}

TEST(HaproxyStat, SessionsOfOneServer) {
  const std::string text =
      "0x5571c69: proto=tcpv4 src=127.0.0.1:5 fe=f be=be srv=s1 ts=00\n"
      "0x5571c70: proto=tcpv4 src=127.0.0.1:6 fe=f be=be srv=s10 ts=00\n"
      "0x5571c71: proto=tcpv4 src=127.0.0.1:7 fe=f be=other srv=s1 ts=00\n"
      "0x1;quit: proto=tcpv4 src=127.0.0.1:7 fe=f be=be srv=s1 ts=00\n\n";
  EXPECT_EQ(parse_sessions(text, "be", "s1"), std::vector<std::string>{"0x5571c69"});
}

TEST(HaproxyStat, SplitsRepliesAndSeesMissingOnes) {
  auto parts = split_reply("a\nb\n\n\nc\n\n", 3);
  ASSERT_TRUE(parts);
  EXPECT_EQ((*parts)[0], "a\nb\n");
  EXPECT_EQ((*parts)[1], "");
  EXPECT_EQ((*parts)[2], "c\n");
  EXPECT_FALSE(split_reply("a\nb\n", 1));
  EXPECT_FALSE(split_reply("a\n\nb\n", 2));
  EXPECT_FALSE(split_reply("a\n\nb\n\n", 1));
  EXPECT_FALSE(split_reply("", 1));
  auto evil = split_reply("\x1b[2Jpassword=hunter2", 1);
  ASSERT_FALSE(evil);
  EXPECT_EQ(evil.error().what.find('\x1b'), std::string::npos);
  EXPECT_EQ(evil.error().what.find("hunter2"), std::string::npos);
}

TEST(HaproxyStat, SocketAddresses) {
  EXPECT_EQ(parse_socket_address("unix:/run/a.sock")->path, "/run/a.sock");
  EXPECT_EQ(parse_socket_address("tcp:lb-1:9999")->port, 9999);
  EXPECT_EQ(parse_socket_address("tcp:[::1]:9999")->host, "::1");
  for (const char* bad : {"", "/run/a.sock", "unix:run/a", "unix:/run/../a", "tcp:lb", "tcp:lb:0",
                          "tcp:lb:70000", "tcp:-oX:1", "tcp::1", "tcp:lb:1x"}) {
    EXPECT_FALSE(parse_socket_address(bad)) << bad;
  }
  EXPECT_FALSE(parse_socket_address("unix:/" + std::string(200, 'a')));
}

// ---- what the masks mean
// --------------------------------------------------------------------------
AdminReading admin(std::string status, ServerState state) {
  StatRow row;
  row.status = std::move(status);
  return read_admin(row, state);
}
ServerState mask(std::int64_t bits) {
  ServerState state;
  state.op = 2;
  state.admin = bits;
  state.weight = 1;
  state.check_state = 6;
  return state;
}

TEST(HaproxyReport, AdminState) {
  EXPECT_EQ(admin("UP", mask(0)).state, AdminState::ready);
  EXPECT_EQ(admin("DRAIN", mask(0x08)).state, AdminState::drain);
  EXPECT_EQ(admin("DOWN", mask(0x08)).state, AdminState::drain) << "drained, and its check fails";
  EXPECT_EQ(admin("DRAIN", mask(0x10)).state, AdminState::drain);
  EXPECT_TRUE(admin("DRAIN", mask(0x10)).by_other);
  for (const int bits : {0x01, 0x02, 0x05, 0x09, 0x20, 0x24}) {
    EXPECT_EQ(admin("MAINT", mask(bits)).state, AdminState::maint) << bits;
    EXPECT_TRUE(admin("MAINT", mask(bits)).by_other) << bits;
  }
  for (const int bits : {0x28, 0x0a}) {  // over our own drain
    EXPECT_EQ(admin("MAINT", mask(bits)).state, AdminState::drain) << bits;
    EXPECT_TRUE(admin("MAINT", mask(bits)).by_other) << bits;
  }
  // 0x04 stays after a server that was `disabled` in the configuration was enabled by hand: it
  // serves.
  EXPECT_EQ(admin("no check", mask(0x04)).state, AdminState::ready);
  EXPECT_EQ(admin("UP", mask(0x40)).state, AdminState::ready);
  ServerState no_weight = mask(0);
  no_weight.weight = 0;
  EXPECT_EQ(admin("UP", no_weight).state, AdminState::drain) << "HAProxy shows UP for weight 0";
  EXPECT_TRUE(admin("UP", no_weight).by_other);
  EXPECT_EQ(admin("NOLB", mask(0)).state, AdminState::drain);
}

LbCheck check(std::string status, std::string check_status, std::int64_t check_state = 6) {
  StatRow row;
  row.status = std::move(status);
  row.check_status = std::move(check_status);
  ServerState state = mask(0);
  state.check_state = check_state;
  return read_check(row, state);
}

TEST(HaproxyReport, Check) {
  EXPECT_EQ(check("UP", "L7OK"), LbCheck::pass);
  EXPECT_EQ(check("UP", "* L4OK"), LbCheck::pass);
  EXPECT_EQ(check("DRAIN", "L6OK"), LbCheck::pass);
  EXPECT_EQ(check("UP 1/3", "L4CON"), LbCheck::fail);
  EXPECT_EQ(check("DOWN", "* L7STS"), LbCheck::fail);
  EXPECT_EQ(check("DOWN 1/3", "L7OK"), LbCheck::fail) << "on its way up, but gets nothing yet";
  EXPECT_EQ(check("NOLB", "L7OKC"), LbCheck::unknown);
  EXPECT_EQ(check("UP", "INI"), LbCheck::unknown);
  EXPECT_EQ(check("UP", ""), LbCheck::unknown) << "a check is on and has not run yet";
  EXPECT_EQ(check("no check", "", 0), LbCheck::none);
  EXPECT_EQ(check("DRAIN", "", 2), LbCheck::none) << "disable health";
  EXPECT_EQ(check("MAINT", "", 14), LbCheck::unknown);
}

NodeView view_of_one() {
  NodeView view;
  view.worker.pid = 7;
  view.worker.start = "100";
  StatRow row;
  row.status = "DRAIN";
  row.mode = "http";
  row.check_status = "L7OK";
  row.sessions = 1;
  row.queued = 2;
  row.connect_errors = row.response_errors = row.server_aborts = row.responses_5xx = 1;
  view.stat.servers["s1"] = row;
  view.states["s1"] = mask(8);
  return view;
}

TEST(HaproxyReport, AddsOldWorkersAndNeverGuesses) {
  NodeView view = view_of_one();
  EXPECT_EQ(make_report(view, "be", "s1", "").in_flight, 3);
  EXPECT_EQ(make_report(view, "be", "s1", "").errors, 4);
  EXPECT_EQ(make_report(view, "be", "s1", "").epoch, "7:100");
  view.old.push_back(view.stat);
  view.old.emplace_back();  // a worker whose configuration did not have it
  EXPECT_EQ(make_report(view, "be", "s1", "").in_flight, 6);
  const auto doubted = make_report(view, "be", "s1", "old worker unseen");
  EXPECT_FALSE(doubted.in_flight);
  EXPECT_NE(doubted.note.find("old worker unseen"), std::string::npos);
  view.stat.servers["s1"].queued.reset();
  EXPECT_FALSE(make_report(view, "be", "s1", "").in_flight);
  view.stat.servers["s1"].responses_5xx.reset();
  EXPECT_FALSE(make_report(view, "be", "s1", "").errors);
  EXPECT_EQ(make_report(view, "be", "s2", "").admin, AdminState::absent);
  view.states.clear();
  EXPECT_EQ(make_report(view, "be", "s1", "").admin, AdminState::unknown)
      << "half of it is missing";
}

// ---- epochs
// ---------------------------------------------------------------------------------------
TEST(HaproxyEpoch, DoubtsOnlyAfterAChangeAndOnlyWhatWasNotQuiet) {
  EpochMemory memory;
  memory.saw("1", {"quiet", "quiet-once"}, 0, {});
  EXPECT_FALSE(memory.doubts("busy")) << "a fresh driver has seen no reload";
  memory.saw("1", {"quiet", "quiet-once"}, 1, {});
  memory.saw("2", {"quiet"}, 2, {});
  EXPECT_TRUE(memory.doubts("busy"));
  EXPECT_FALSE(memory.doubts("quiet-once")) << "nothing was in flight when the old worker was left";
  memory.saw("3", {"quiet", "busy"}, 3, {});
  EXPECT_TRUE(memory.doubts("busy")) << "the oldest worker may live on";
  EXPECT_TRUE(memory.doubts("quiet-once")) << "it was busy in the worker between";
  EXPECT_FALSE(memory.doubts("quiet"));
  memory.saw("3", {"busy"}, 1'000'000, {});
  EXPECT_TRUE(memory.doubts("busy"))
      << "without hard-stop-after nothing bounds an old worker's life";
}

TEST(HaproxyEpoch, HardStopAfterEndsTheDoubt) {
  EpochMemory memory;
  memory.saw("1", {}, 0, 5000);
  memory.saw("2", {}, 10, 5000);
  memory.saw("2", {}, 5010, 5000);
  EXPECT_TRUE(memory.doubts("s1"));
  memory.saw("2", {}, 5011, 5000);
  EXPECT_FALSE(memory.doubts("s1"));
}

TEST(HaproxyEpoch, SumsStayComparableWhileAllThatWereCountedLive) {
  CounterEpoch epoch;
  WorkerInfo a;
  a.pid = 1;
  a.start = "10";
  WorkerInfo b;
  b.pid = 2;
  b.start = "20";
  const std::string first = epoch.saw(a, {});
  EXPECT_EQ(epoch.saw(b, {1}), first);
  const std::string second = epoch.saw(b, {});
  EXPECT_NE(second, first);
  EXPECT_EQ(epoch.saw(b, {}), second);
}

TEST(HaproxyStat, ChecksAmongTheOpenConnections) {
  const std::string text =
      "      4 : st=0x1 owner=0x1 iocb=0x2(sock_accept_iocb) l.st=RDY fe=f fam=ipv4 lport=80\n"
      "     12 : back=1 fam=ipv4 lport=41450 rport=81 sv=be/s1 mux=H1 tl.fct=srv_chk_io_cb) x\n"
      "     13 : back=1 fam=ipv4 lport=41451 rport=81 sv=be/s1 mux=H1 tl.fct=sc_conn_io_cb) x\n"
      "     14 : back=1 fam=ipv4 lport=41452 rport=81 sv=be/s10 mux=H1 tl.fct=srv_chk_io_cb) x\n"
      "     15 : back=0 fam=ipv4 lport=41453 rport=81 sv=be/s1 mux=H1 tl.fct=srv_chk_io_cb) x\n"
      "     16 : back=1 fam=ipv4 lport=nonsense sv=be/s1 tl.fct=srv_chk_io_cb) x\n"
      "     17 : back=1 fam=ipv4 lport=700000 sv=be/s1 tl.fct=srv_chk_io_cb) x\n"
      "     18 : back=1 fam=ipv4 lport=41454 rport=81 sv=other/s1 tl.fct=srv_chk_io_cb) x\n\n";
  EXPECT_EQ(parse_check_ports(text, "be", "s1", false), std::vector<int>{41450});
  EXPECT_EQ(parse_check_ports(text, "be", "s1", true), (std::vector<int>{41450, 41451}));
  EXPECT_TRUE(parse_check_ports("Unknown command\n", "be", "s1", true).empty());
}

TEST(HaproxyConfig, RefusesNamesThatWouldBeCommands) {
  HaproxyPool pool;
  pool.lb = "lb";
  pool.backend = "be";
  pool.nodes.push_back({"lb-1", "unix:/run/a.sock", "", {}, {}});
  pool.servers.emplace_back(core::InstanceId{"web@a"}, "s1");
  EXPECT_TRUE(check_haproxy(pool));
  for (const char* bad : {"s1;show info", "s1\nshow info", "", "-s", "a b", "a/b", "@!1"}) {
    HaproxyPool evil = pool;
    evil.servers[0].second = bad;
    EXPECT_FALSE(check_haproxy(evil)) << bad;
    evil = pool;
    evil.backend = bad;
    EXPECT_FALSE(check_haproxy(evil)) << bad;
  }
  pool.nodes[0].master = "bogus";
  EXPECT_FALSE(check_haproxy(pool));
}

}  // namespace
}  // namespace hitless::traffic
