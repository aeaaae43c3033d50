#include "agent/rules.hpp"

#include <map>

namespace hitless::agent {
namespace {

using C = Category;
using S = Source;
using K = Component;

using Words = std::vector<std::string_view>;

const Words kPermission = {"permission denied", "eacces", "operation not permitted"};
const Words kNoSpace = {"no space left on device", "enospc", "disk quota exceeded"};
const Words kInUse = {"address already in use", "eaddrinuse"};
const Words kMissingFile = {"no such file or directory", "unable to load certificate",
                            "cannot load certificate", "unable to stat", "enoent"};
const Words kNames = {"could not be resolved",
                      "temporary failure in name resolution",
                      "name or service not known",
                      "host not found in upstream",
                      "nxdomain",
                      "servfail",
                      "getaddrinfo"};
const Words kSetting = {"environment variable",   "is not set",        "must be set",
                        "missing required",       "required setting",  "keyerror:",
                        "undefined variable",     "not configured",    "unset variable",
                        "required but not found", "parameter not set", "unbound variable"};

// Lines that name a cause are about that cause, not about the syntax.
Words causes() {
  Words all;
  for (const Words* each : {&kPermission, &kNoSpace, &kInUse, &kMissingFile, &kNames})
    all.insert(all.end(), each->begin(), each->end());
  all.push_back("passes: ");
  return all;
}

void same_words(std::vector<Rule>& table, C category, const Words& any, const Words& none,
                K component, const std::vector<S>& sources) {
  for (const S source : sources) table.push_back({category, source, any, none, component});
}

void add_causes(std::vector<Rule>& table) {
  const std::vector<S> logs = {S::config_test, S::error_log, S::journal};
  same_words(table, C::config_permission, kPermission, {}, K::path, logs);
  same_words(table, C::disk_full, kNoSpace, {}, K::host, logs);
  same_words(table, C::port_in_use, kInUse, {}, K::port, {S::error_log, S::journal});
  same_words(table, C::config_missing_file, kMissingFile, {"203/exec", "at step exec"}, K::path,
             logs);
  same_words(table, C::name_resolution, kNames, {}, K::name, logs);
  same_words(table, C::missing_setting, kSetting, {}, K::unit, {S::journal, S::error_log});
  table.push_back({C::config_permission, S::file_stat, {"unreadable"}, {}, K::path});
  table.push_back({C::disk_full, S::disk, {" 100%"}, {}, K::host});
  table.push_back({C::port_in_use, S::sockets, {"foreign listener"}, {}, K::port});
  table.push_back({C::name_resolution, S::resolver, kNames, {}, K::name});
  table.push_back({C::config_syntax,
                   S::config_test,
                   {"[emerg]", "[alert]", "syntax error", "unknown directive", "parse error",
                    "unknown keyword", "fatal errors found", "unexpected"},
                   causes(),
                   K::path});
  same_words(table, C::bad_exec,
             {"203/exec", "at step exec", "exec format error", "failed to locate executable"}, {},
             K::unit, {S::manager, S::journal});
  table.push_back({C::bad_exec, S::unit_status, {"execmainstatus=203"}, {}, K::unit});
  table.push_back({C::bad_exec, S::config_diff, {"+execstart="}, {}, K::unit, true});
  table.push_back(
      {C::missing_setting, S::config_diff, {"-environment", "removed setting"}, {}, K::unit, true});
  same_words(table, C::out_of_memory, {"out of memory", "oom-kill", "oom_kill", "killed process"},
             {}, K::unit, {S::kernel_log, S::manager, S::journal});
  table.push_back({C::out_of_memory, S::unit_status, {"result=oom-kill"}, {}, K::unit});
  table.push_back(
      {C::out_of_memory, S::config_diff, {"+memorymax=", "+memoryhigh="}, {}, K::unit, true});
  table.push_back({C::certificate_expired, S::certificate, {"expired"}, {"not expired"}, K::unit});
  table.push_back({C::certificate_expired,
                   S::health,
                   {"certificate has expired", "certificate expired"},
                   {},
                   K::unit});
  // In the words of our own TLS client, when it looked at the instance.
  table.push_back({C::certificate_expired, S::rollout, {"certificate has expired"}, {}, K::unit});
  table.push_back({C::upstream_unreachable, S::config_diff, {"+server "}, {}, K::upstream, true});
  table.push_back({C::upstream_unreachable,
                   S::error_log,
                   {"while connecting to upstream", "no live upstreams"},
                   {},
                   K::upstream});
  table.push_back(
      {C::dependency_down, S::dependency, {"status=fail"}, {"peers_failing=0"}, K::name});
  table.push_back({C::change_elsewhere, S::changes, {"by=other"}, {}, K::name});
}

void add_symptoms(std::vector<Rule>& table) {
  table.push_back({C::not_ready, S::unit_status, {"result=timeout"}, {}, K::unit});
  same_words(table, C::not_ready, {"start operation timed out", "failed with result 'timeout'"}, {},
             K::unit, {S::manager, S::journal});
  table.push_back({C::not_ready,
                   S::rollout,
                   {"because a timeout was exceeded", "result=timeout"},
                   {},
                   K::unit});
  table.push_back({C::crash_loop, S::unit_status, {"result=start-limit-hit"}, {}, K::unit});
  same_words(table, C::crash_loop, {"start request repeated too quickly", "scheduled restart job"},
             {}, K::unit, {S::manager, S::journal});
  table.push_back({C::crash_loop, S::rollout, {"flapping"}, {}, K::unit});
  table.push_back({C::slow_start, S::unit_status, {"activestate=activating"}, {}, K::unit});
  table.push_back({C::slow_start, S::rollout, {"still starting", "ready after"}, {}, K::unit});
  table.push_back({C::host_lost,
                   S::rollout,
                   {"connection lost", "could not be reached", "outcome of the restart unknown",
                    "outcome of the reload unknown", "host is unreachable"},
                   {},
                   K::host});
  table.push_back({C::errors_in_traffic,
                   S::rollout,
                   {"requests failed at it since it is back", "in rotation but unhealthy"},
                   {},
                   K::unit});
  table.push_back({C::errors_in_traffic, S::lb_counters, {"above_baseline=yes"}, {}, K::unit});
  table.push_back({C::latency_regression, S::rollout, {"too slow:"}, {}, K::unit});
  table.push_back({C::latency_regression, S::latency, {"above_limit=yes"}, {}, K::unit});
  // Counted on the host, unknown to every load balancer that we asked.
  table.push_back({C::lb_still_sends, S::rollout, {"(load balancer 0, host "}, {"host 0)"}, K::lb});
  table.push_back({C::drain_stuck, S::rollout, {"drain deadline"}, {}, K::unit});
  table.push_back({C::drain_stuck, S::sockets, {"established after the deadline"}, {}, K::unit});
  table.push_back({C::lb_still_sends, S::lb_counters, {"sent_after_drain=yes"}, {}, K::lb});
  table.push_back({C::lb_still_sends, S::access_log, {"after_drain=yes"}, {}, K::lb});
  table.push_back({C::lb_still_sends,
                   S::rollout,
                   {"the load balancer forgot the drain", "back in rotation, and the floor"},
                   {},
                   K::lb});
  table.push_back({C::capacity,
                   S::rollout,
                   {"below the floor", "capacity", "the floor does not let"},
                   {},
                   K::fleet});
  table.push_back({C::capacity, S::lb_state, {"peer_down=yes"}, {}, K::host});
  table.push_back({C::drift, S::fingerprint, {"moved"}, {}, K::fleet});
  table.push_back({C::controller_lost, S::rollout, {"was cut off", "taken over by"}, {}, K::fleet});
  table.push_back({C::kill_switch, S::kill_switch, {"engaged"}, {"released"}, K::fleet});
  table.push_back({C::healthy, S::metrics, {"normal"}, {"abnormal"}, K::fleet});
}

using Table = std::map<Category, Meaning>;

void explain_causes(Table& t) {
  using R = Recommendation;
  t[C::config_syntax] = {"the configuration is not valid: {component}",
                         R::stop_before_drain,
                         R::roll_back,
                         0,
                         {S::config_test}};
  t[C::config_missing_file] = {"a file that the configuration names is not there: {component}",
                               R::stop_before_drain,
                               R::roll_back,
                               0,
                               {S::config_test}};
  t[C::config_permission] = {"the service may not read {component}",
                             R::stop_before_drain,
                             R::roll_back,
                             0,
                             {S::file_stat, S::journal}};
  t[C::bad_exec] = {"the program of {component} cannot be executed",
                    R::stop_before_drain,
                    R::roll_back,
                    0,
                    {S::unit_status, S::journal}};
  t[C::port_in_use] = {"another process holds {component}; it is not killed",
                       R::hold_and_page,
                       R::hold_and_page,
                       0,
                       {S::sockets, S::journal}};
  t[C::missing_setting] = {"{component} misses a setting that it needs",
                           R::stop_before_drain,
                           R::roll_back,
                           0,
                           {S::journal, S::config_diff}};
  t[C::out_of_memory] = {"{component} was killed because its memory ran out",
                         R::hold_and_page,
                         R::roll_back,
                         0,
                         {S::kernel_log, S::unit_status}};
  t[C::disk_full] = {
      "no space is left on {component}", R::stop_before_drain, R::hold_and_page, 0, {S::disk}};
  t[C::certificate_expired] = {"the certificate that {component} shows has expired",
                               R::stop_before_drain,
                               R::roll_back,
                               0,
                               {S::certificate}};
  t[C::name_resolution] = {"a name cannot be resolved: {component}",
                           R::hold_and_page,
                           R::hold_and_page,
                           0,
                           {S::resolver}};
  t[C::upstream_unreachable] = {
      "{component}, which the service passes requests on to, does not answer",
      R::hold_and_page,
      R::roll_back,
      0,
      {S::error_log, S::config_diff}};
  t[C::dependency_down] = {"{component} is down for changed and unchanged instances alike",
                           R::page_dependency,
                           R::page_dependency,
                           0,
                           {S::dependency}};
  t[C::change_elsewhere] = {"{component} was changed by somebody else just before",
                            R::page_dependency,
                            R::page_dependency,
                            0,
                            {S::changes}};
}

void explain_symptoms(Table& t) {
  using R = Recommendation;
  t[C::not_ready] = {"{component} never said that it is ready",
                     R::hold_and_page,
                     R::roll_back,
                     1,
                     {S::journal, S::unit_status}};
  t[C::crash_loop] = {"{component} starts and dies, again and again",
                      R::hold_and_page,
                      R::roll_back,
                      1,
                      {S::journal, S::unit_status}};
  t[C::slow_start] = {"{component} takes its time to start", R::wait, R::wait, 3, {S::health}};
  t[C::host_lost] = {"{component} cannot be reached; what happened there is not known",
                     R::hold_and_page,
                     R::hold_and_page,
                     0,
                     {S::unit_status, S::lb_state}};
  t[C::errors_in_traffic] = {"requests fail at {component} since it is back",
                             R::hold_and_page,
                             R::roll_back,
                             2,
                             {S::lb_counters, S::journal}};
  t[C::latency_regression] = {"{component} answers more slowly than before",
                              R::hold_and_page,
                              R::roll_back,
                              2,
                              {S::latency}};
  t[C::drain_stuck] = {
      "connections to {component} do not end", R::hold_and_page, R::hold_and_page, 1, {S::sockets}};
  t[C::lb_still_sends] = {"{component} still sends requests to an instance that it says is out",
                          R::hold_and_page,
                          R::hold_and_page,
                          0,
                          {S::access_log, S::lb_counters}};
  t[C::capacity] = {"too few instances serve", R::deny, R::hold_and_page, 0, {S::lb_state}};
  t[C::drift] = {
      "what the plan stands on has moved", R::make_new_plan, R::make_new_plan, 0, {S::fingerprint}};
  t[C::controller_lost] = {
      "the controller was killed in the middle", R::resume, R::resume, 3, {S::rollout}};
  t[C::kill_switch] = {"somebody stopped all automatic work",
                       R::stop_at_safe_point,
                       R::stop_at_safe_point,
                       0,
                       {S::kill_switch}};
  t[C::healthy] = {"nothing is wrong", R::none, R::none, 4, {S::metrics, S::health}};
  t[C::undetermined] = {
      "the evidence does not say what is wrong", R::hold_and_page, R::hold_and_page, 5, {}};
}

}  // namespace

const std::vector<Rule>& rules() {
  static const std::vector<Rule> kTable = [] {
    std::vector<Rule> table;
    add_causes(table);
    add_symptoms(table);
    return table;
  }();
  return kTable;
}

const Meaning& meaning_of(Category category) {
  static const Table kTable = [] {
    Table table;
    explain_causes(table);
    explain_symptoms(table);
    return table;
  }();
  return kTable.at(category);
}

}  // namespace hitless::agent
