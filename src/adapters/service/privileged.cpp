// What each driver runs as root, word by word as probe.cpp, config_tree.cpp, preflight.cpp,
// staging.cpp and acting.cpp give it to the host. tests/e2e/sudoers_test.py holds this to them.
#include <set>

#include "adapters/service/daemon.hpp"
#include "adapters/service/postgresql_facts.hpp"
#include "adapters/service/probe.hpp"
#include "adapters/service/scripts.hpp"
#include "adapters/service/services.hpp"
#include "adapters/service/staging.hpp"
#include "base/text.hpp"
#include "confdiff/glob.hpp"

namespace hitless::service {
namespace {

using ports::CommandWord;
using ports::CommandWords;
using ports::PrivilegedCommands;
using ports::sudoers_literal;

// A part of a path: never "..", nor a hidden file; and the same with wildcards. `*` and `?` must
// not stand side by side: sudo 1.9.13 then refuses to match, even within [].
const std::string kPart = "/[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*";
const std::string kGlobPart = "/[?A-Za-z0-9_@+~*-][?A-Za-z0-9._@+~*-]*";
const std::string kStage = "/tmp/hitless-stage-[0-9a-f]{24}";
const std::string kProperties = "[A-Z][^ /]*";
constexpr std::size_t kMaxListBytes = 300;  // longer lists of files become their folders

struct Files {
  std::string main;       // the staged main file
  std::string one;        // pattern of one path or wildcard
  std::string error_log;  // empty: not known here, or there is none
  bool nginx = false;
  ProbeQuery query = {};  // its workers, pattern and binary
};

CommandWords script(const char* sh, const char* name) {
  return {{"sh"}, {"-c"}, {sh}, {name}};
}

void append(CommandWords& words, const std::vector<std::string>& argv) {
  for (const std::string& word : argv) words.push_back({word});
}

CommandWords literal_words(const std::vector<std::string>& argv) {
  CommandWords words;
  append(words, argv);
  return words;
}

std::string alternatives(const std::set<std::string>& texts) {
  std::string pattern;
  for (const std::string& text : texts)
    pattern += (pattern.empty() ? "" : "|") + sudoers_literal(text);
  return "(" + pattern + ")";
}

// nginx finds out what to read on the host: from its own folder, that of distributions' modules,
// and where files are installed.
std::string below(const std::vector<std::string>& files, bool nginx) {
  std::set<std::string> folders;
  if (nginx) folders.insert("/usr/share/nginx");
  for (const std::string& file : files) folders.insert(confdiff::folder_of(file));
  return alternatives(folders) + "(" + kGlobPart + ")+";
}

std::string just_these(const std::vector<std::string>& files) {
  if (files.empty()) return {};
  std::string pattern = alternatives({files.begin(), files.end()});
  return pattern.size() > kMaxListBytes ? below(files, false) : pattern;
}

// The pattern of log lines as the probe gets it, for any process.
CommandWord log_pattern_word(const ProbeQuery& query) {
  const std::string pattern = log_pattern_for(query, kPidMark);
  const std::size_t at = pattern.find(kPidMark);
  if (at == std::string::npos) return {pattern};
  return CommandWord::pattern(
      sudoers_literal(pattern.substr(0, at)) + "[0-9]+" +
      sudoers_literal(pattern.substr(at + std::string_view(kPidMark).size())));
}

void add_looks(PrivilegedCommands& all, const Files& files, const std::string& unit,
               const std::string& pid_file) {
  CommandWords probe = script(probe_script(), "sh");
  append(probe, {unit, pid_file, name_of(files.nginx ? Workers::nginx : files.query.workers)});
  if (!files.error_log.empty()) {
    probe.push_back({files.error_log});
  } else if (files.nginx) {
    probe.push_back(CommandWord::pattern("(" + kPart + ")*"));
  } else {
    probe.push_back({""});
  }
  probe.push_back(CommandWord::pattern("[0-9]+"));
  probe.push_back(CommandWord::pattern("-?[0-9]+"));
  probe.push_back(CommandWord::pattern(kProperties));
  probe.push_back(log_pattern_word(files.query));
  probe.push_back({files.query.binary});
  probe.push_back(CommandWord::pattern("(-|[0-9]+:[0-9]+)"));
  CommandWords read = script(read_script(), "sh");
  read.push_back(CommandWord::pattern("[01]"));
  CommandWords times = script(times_script(), "sh");
  if (!files.one.empty()) {
    for (CommandWords* words : {&probe, &read, &times})
      words->push_back(CommandWord::patterns(files.one));
    all.readable.push_back(files.one);
    all.commands.push_back(std::move(times));
  }
  all.commands.push_back(std::move(probe));
  all.commands.push_back(std::move(read));
}

void add_facts(PrivilegedCommands& all, const std::string& unit,
               const std::vector<std::string>& config_files,
               const std::vector<std::string>& programs) {
  std::set<std::string> folders{"/var", "/run"};
  for (const std::string& file : config_files) folders.insert(confdiff::folder_of(file));
  CommandWords facts = script(facts_script(), "sh");
  facts.push_back({unit});
  facts.push_back(CommandWord::pattern(kProperties));
  append(facts, {folders.begin(), folders.end()});
  facts.push_back({"--programs"});
  append(facts, programs);
  all.commands.push_back(std::move(facts));
}

// {config} and {dir} as test_staged fills them.
CommandWord staged_word(const std::string& word, const std::string& main) {
  std::string pattern;
  bool plain = true;
  for (std::size_t at = 0; at < word.size();) {
    const bool config = word.compare(at, 8, "{config}") == 0,
               dir = word.compare(at, 5, "{dir}") == 0;
    if (config || dir) {
      pattern += kStage + sudoers_literal(config ? main : confdiff::folder_of(main));
      plain = false;
    } else {
      pattern += sudoers_literal(word.substr(at, 1));
    }
    at += config ? 8u : dir ? 5u : 1u;
  }
  return plain ? CommandWord{word} : CommandWord::pattern(pattern);
}

void add_test(PrivilegedCommands& all, const Files& files, const std::vector<std::string>& argv,
              bool own_pid_file) {
  if (argv.empty()) return;
  if (!has_placeholder(argv)) {
    all.commands.push_back(literal_words(argv));
    return;
  }
  CommandWords words = script(stage_script(), "hitless-stage");
  words.push_back(CommandWord::pattern(kStage));
  for (const std::string& word : argv) words.push_back(staged_word(word, files.main));
  if (own_pid_file)
    words.push_back(CommandWord::patterns("-g pid " + kStage + "/hitless-test\\.pid;"));
  all.commands.push_back(std::move(words));
}

void add_unit_action(PrivilegedCommands& all, const std::string& unit) {
  CommandWords words = script(unit_script(), "hitless-act");
  words.push_back({unit});
  for (const char* pattern : {"(restart|reload)", "[0-9a-f]*", "[01]"}) {
    words.push_back(CommandWord::pattern(pattern));
  }
  all.operations.push_back(std::move(words));
}

void add_command_action(PrivilegedCommands& all, const std::string& pid_file,
                        const std::vector<std::string>& argv) {
  if (argv.empty()) return;
  CommandWords words = script(command_script(), "hitless-act");
  words.push_back({pid_file});
  for (const char* pattern : {"[0-9]+", "[0-9]*"}) words.push_back(CommandWord::pattern(pattern));
  append(words, argv);
  all.commands.push_back(words);  // where there is no systemd
  all.operations.push_back(std::move(words));
}

}  // namespace

PrivilegedCommands privileged_commands(const SystemdConfig& config) {
  PrivilegedCommands all;
  const std::vector<std::string>& roots = config.config_files;
  const Files files{roots.empty() ? "" : roots.front(), just_these(roots), {}, false};
  add_looks(all, files, config.unit, {});
  std::vector<std::string> programs;
  if (!config.test.empty()) programs.push_back(config.test.front());
  add_facts(all, config.unit, roots, programs);
  add_test(all, files, config.test, false);
  if (!config.reload_proof.empty()) all.commands.push_back(literal_words(config.reload_proof));
  add_unit_action(all, config.unit);
  return all;
}

PrivilegedCommands privileged_commands(DaemonKind kind, const DaemonConfig& config,
                                       std::vector<std::string> installed) {
  PrivilegedCommands all;
  const DaemonSpec spec = daemon_spec(kind, config);
  Files files{spec.roots.empty() ? "" : spec.roots.front(), just_these(spec.roots),
              spec.query.log_file, false, spec.query};
  if (spec.test.dialect != Dialect::plain) {
    installed.insert(installed.end(), spec.roots.begin(), spec.roots.end());
    files.one = below(installed, false);
  }
  add_looks(all, files, config.unit, {});
  add_facts(all, config.unit, spec.roots, spec.programs);
  add_test(all, files, spec.test.argv, false);
  if (!spec.client.empty()) all.commands.push_back(literal_words(spec.client));
  add_unit_action(all, config.unit);
  return all;
}

PrivilegedCommands privileged_commands(const PostgresqlConfig& config) {
  PrivilegedCommands all;
  const std::vector<std::string>& roots = config.config_files;
  const Files files{roots.empty() ? "" : roots.front(), just_these(roots), {}, false};
  const std::string pid_file = config.unit.empty() ? config.data_dir + "/postmaster.pid" : "";
  add_looks(all, files, config.unit, pid_file);
  std::vector<std::string> programs{config.psql, config.bin_dir + "/postgres"};
  if (config.unit.empty()) programs.push_back(config.bin_dir + "/pg_ctl");
  add_facts(all, config.unit, {files.main}, programs);
  add_test(all, files, postgresql_test(config), false);
  CommandWords ask = script(postgresql_script(), "sh");
  append(ask, {config.os_user.empty() ? "-" : config.os_user, config.psql, config.socket_dir,
               std::to_string(config.port), config.user});
  ask.push_back(CommandWord::pattern("[a-z0-9_.,]*"));
  all.commands.push_back(std::move(ask));
  if (config.unit.empty()) {
    for (const core::Action action : {core::Action::reload, core::Action::restart})
      add_command_action(all, pid_file, postgresql_pg_ctl(config, action));
  } else {
    add_unit_action(all, config.unit);
  }
  return all;
}

PrivilegedCommands privileged_commands(const NginxConfig& config,
                                       std::vector<std::string> installed) {
  PrivilegedCommands all;
  installed.push_back(config.main_config);
  Files files{config.main_config, below(installed, true), config.error_log, true};
  std::vector<std::string> test{config.binary, "-t", "-c", "{config}"};
  std::vector<std::string> reload{config.binary, "-c", config.main_config, "-s", "reload"};
  if (!config.prefix.empty()) {
    for (auto* argv : {&test, &reload}) argv->insert(argv->end(), {"-p", config.prefix});
  }
  ProbeQuery query;
  if (config.binary.starts_with('/')) query.binary = config.binary;
  files.query = query;
  add_looks(all, files, config.unit, config.pid_file);
  add_facts(all, config.unit, {config.main_config}, {config.binary});
  add_test(all, files, test, true);
  if (config.unit.empty()) {
    add_command_action(all, config.pid_file, reload);
  } else {
    add_unit_action(all, config.unit);
  }
  if (config.binary_upgrade) {
    CommandWords words = script(upgrade_script(), "hitless-act");
    append(words, {config.unit, config.pid_file});
    for (const char* pattern : {"[0-9a-f]*", "[0-9]+"})
      words.push_back(CommandWord::pattern(pattern));
    all.operations.push_back(std::move(words));
  }
  return all;
}

PrivilegedCommands privileged_commands(const CommandConfig& config,
                                       std::vector<std::string> installed) {
  PrivilegedCommands all;
  const std::vector<std::string>& roots = config.config_files;
  const bool nginx = config.flavor == CommandFlavor::nginx;
  Files files{roots.empty() ? "" : roots.front(), just_these(roots), config.error_log, nginx};
  if (nginx) {
    installed.insert(installed.end(), roots.begin(), roots.end());
    files.one = below(installed, true);
  }
  add_looks(all, files, {}, config.pid_file);
  std::vector<std::string> programs;
  for (const auto* argv : {&config.test, &config.reload, &config.restart, &config.status}) {
    if (!argv->empty()) programs.push_back(argv->front());
  }
  add_facts(all, {}, roots, programs);
  add_test(all, files, config.test, false);
  if (!config.status.empty()) all.commands.push_back(literal_words(config.status));
  add_command_action(all, config.pid_file, config.reload);
  add_command_action(all, config.pid_file, config.restart);
  return all;
}

}  // namespace hitless::service
