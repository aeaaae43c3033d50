#include "adapters/service/conformance_subjects.hpp"

#include <unistd.h>

#include <filesystem>

#include "real_postgres.hpp"

namespace hitless::service {
namespace {

using Made = std::unique_ptr<Subject>;

bool root() {
  return ::geteuid() == 0;
}

// So that the next start of any daemon dies: its start script is another one.
void break_start_script(Subject& subject) {
  const std::string start = subject.unit.folder / "unit/start";
  subject.break_start = [start] { write_file(start, "exit 3\n"); };
}

Made nginx() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const std::string folder = s->unit.folder.path;
  s->config = folder + "/nginx.conf";
  std::filesystem::create_directories(folder + "/logs");
  std::filesystem::create_directories(folder + "/tmp");
  const auto text = [s, folder](int generation, const std::string& key) {
    std::string paths;
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      paths += std::string(kind) + "_temp_path " + folder + "/tmp/" + kind + ";\n";
    return "daemon off;\nworker_processes 2;\npid " + folder + "/nginx.pid;\nerror_log " + folder +
           "/logs/error.log;\nevents {}\nhttp {\naccess_log off;\n" + paths + "limit_req_zone " +
           key + " zone=a:64k rate=1000r/s;\nserver { listen 127.0.0.1:" + std::to_string(s->port) +
           "; return 200 \"" + std::to_string(generation) + "\"; }\n}\n";
  };
  s->configure = [s, text](int generation) {
    write_file(s->config, text(generation, "$binary_remote_addr"));
  };
  s->break_silently = [s, text] { write_file(s->config, text(9, "$uri")); };
  s->why_never_fatal = "the old workers go on";
  s->refused = "bogus;\n";
  const std::string run = "nginx -p " + folder + " -c " + s->config;
  s->unit.define("exec " + run, run + " -s reload");
  NginxConfig config;
  config.unit = "test.service";
  config.main_config = s->config;
  config.prefix = folder;
  s->unit.service = make_nginx_service(s->unit.host, config);
  return made;
}

std::string apache_text(const Subject& s, int generation, const std::string& more) {
  const std::string folder = s.unit.folder.path;
  std::string text = "ServerRoot \"" + folder + "\"\nServerName localhost\nPidFile " + folder +
                     "/apache.pid\nListen 127.0.0.1:" + std::to_string(s.port) + "\nErrorLog " +
                     folder + "/logs/error.log\nDocumentRoot " + folder +
                     "/www\nStartServers 2\nServerLimit 4\n";
  for (const char* module : {"mpm_event", "authz_core", "alias"}) {
    text += std::string("LoadModule ") + module + "_module /usr/lib/apache2/modules/mod_" + module +
            ".so\n";
  }
  if (root()) text += "User nobody\nGroup nogroup\n";
  return text + "Redirect /g" + std::to_string(generation) + " /\nInclude " + folder +
         "/conf.d/*.conf\n" + more;
}

Made apache() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const std::string folder = s->unit.folder.path;
  s->config = folder + "/apache2.conf";
  std::filesystem::create_directories(folder + "/logs");
  std::filesystem::create_directories(folder + "/www");
  write_file(folder + "/conf.d/more.conf", "# nothing\n");
  s->configure = [s](int generation) { write_file(s->config, apache_text(*s, generation, "")); };
  s->break_silently = [s] {
    std::string text = apache_text(*s, 9, "");
    text.replace(text.find("ServerLimit 4"), 13, "ServerLimit 5");
    write_file(s->config, text);
  };
  // A port that another program holds: `-t` cannot know.
  auto holder = std::make_shared<std::unique_ptr<PortHolder>>();
  s->break_fatally = [s, holder] {
    const int taken = free_port();
    *holder = std::make_unique<PortHolder>(taken);
    write_file(s->config, apache_text(*s, 9, "Listen 127.0.0.1:" + std::to_string(taken) + "\n"));
  };
  s->refused = "Bogus x\n";
  s->unit.define("exec apache2 -DFOREGROUND -f " + s->config, "kill -USR1 $MAINPID");
  DaemonConfig config;
  config.unit = "test.service";
  config.binary = "/usr/sbin/apache2";
  config.main_config = s->config;
  config.error_log = folder + "/logs/error.log";
  s->unit.service = make_daemon_service(s->unit.host, DaemonKind::apache, config);
  break_start_script(*s);
  return made;
}

Made haproxy() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const std::string folder = s->unit.folder.path;
  s->config = folder + "/haproxy.cfg";
  s->configure = [s](int generation) {
    write_file(
        s->config,
        "global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client "
        "5s\n  timeout server 5s\nfrontend f\n  bind 127.0.0.1:" +
            std::to_string(s->port) + "\n  http-request return status 200 content-type " +
            "text/plain string " + std::to_string(generation) + "\n");
  };
  s->refused = "bogus\n";
  s->break_silently = [s] { write_file(s->config, read_text(s->config) + s->refused); };
  s->why_never_fatal = "the old worker goes on";
  s->unit.define("exec haproxy -Ws -f " + s->config, "kill -USR2 $MAINPID");
  DaemonConfig config;
  config.unit = "test.service";
  config.binary = "/usr/sbin/haproxy";
  config.main_config = s->config;
  s->unit.service = make_daemon_service(s->unit.host, DaemonKind::haproxy, config);
  break_start_script(*s);
  return made;
}

Made php_fpm() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const std::string folder = s->unit.folder.path;
  s->config = folder + "/pool.d/www.conf";
  write_file(folder + "/fpm.conf", "[global]\nerror_log = " + folder +
                                       "/fpm.log\ninclude=" + folder + "/pool.d/*.conf\n");
  s->configure = [s, folder](int generation) {
    write_file(s->config, std::string("[www]\nlisten = ") + folder +
                              "/fpm.sock\npm = static\npm.max_children = 2\n" +
                              (root() ? "user = nobody\ngroup = nogroup\n" : "") +
                              "env[GENERATION] = " + std::to_string(generation) + "\n");
  };
  s->why_never_silent = "a reload executes it anew: it reads all, or dies";
  s->refused = "[www]\nbogus = 1\n";
  s->break_fatally = [s] { write_file(s->config, s->refused); };
  s->unit.define("exec php-fpm8.2 --nodaemonize --fpm-config " + folder + "/fpm.conf",
                 "kill -USR2 $MAINPID");
  DaemonConfig config;
  config.unit = "test.service";
  config.binary = "/usr/sbin/php-fpm8.2";
  config.main_config = folder + "/fpm.conf";
  config.error_log = folder + "/fpm.log";
  s->unit.service = make_daemon_service(s->unit.host, DaemonKind::php_fpm, config);
  break_start_script(*s);
  return made;
}

Made gunicorn() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const std::string folder = s->unit.folder.path;
  s->config = folder + "/gunicorn.conf.py";
  write_file(folder + "/app.py",
             "def app(environ, start):\n    start('200 OK', [])\n    return [b'one']\n");
  const std::string settings =
      "workers = 2\nbind = '127.0.0.1:" + std::to_string(s->port) + "'\nchdir = '" + folder + "'\n";
  s->configure = [s, settings](int generation) {
    write_file(s->config, settings + "timeout = " + std::to_string(30 + generation) + "\n");
  };
  s->why_never_silent = "HUP reads all again, or the master dies";
  s->break_fatally = [folder] { write_file(folder + "/app.py", "raise Exception('broken')\n"); };
  s->refused = "workers = 'many'\n";
  s->unit.define("exec gunicorn -c " + s->config + " app:app", "kill -HUP $MAINPID");
  DaemonConfig config;
  config.unit = "test.service";
  config.main_config = s->config;
  config.test = {"gunicorn", "--check-config", "-c", "{config}", "app:app"};
  s->unit.service = make_daemon_service(s->unit.host, DaemonKind::gunicorn, config);
  break_start_script(*s);
  return made;
}

Made redis() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const std::string folder = s->unit.folder.path;
  s->config = folder + "/redis.conf";
  s->configure = [s, folder](int generation) {
    write_file(s->config, "bind 127.0.0.1\nport " + std::to_string(s->port) + "\ndir " + folder +
                              "\nsave 3600 1\nproc-title-template \"{title} {config-file}\"\n"
                              "maxclients " +
                              std::to_string(100 + generation) + "\n");
  };
  s->reloads = false;
  s->why_never_silent = s->why_never_fatal = "it has no reload";
  s->why_no_test = "Redis has none";
  s->unit.define("exec redis-server " + s->config, "");
  DaemonConfig config;
  config.unit = "test.service";
  config.main_config = s->config;
  config.cli = {"redis-cli", "-p", std::to_string(s->port)};
  s->unit.service = make_daemon_service(s->unit.host, DaemonKind::redis, config);
  break_start_script(*s);
  return made;
}

// The server that RealPostgres starts is stopped again: the unit starts it.
Made postgresql() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const auto server = std::make_shared<tests::RealPostgres>();
  const std::string bin = tests::postgres_bin;
  tests::must(tests::as_postgres() + bin + "pg_ctl -s -w -m immediate stop -D " + server->data());
  s->config = server->data() + "/postgresql.conf";
  const std::string settings = read_text(s->config);
  const auto write = [s, server, settings](const std::string& more) {
    write_file(s->config, settings + more);
    server->own();
  };
  s->configure = [write](int generation) {
    write("work_mem = " + std::to_string(generation) + "MB\n");
  };
  s->break_silently = [write] { write("work_mem = lots\n"); };
  s->why_never_fatal = "a bad file is ignored as a whole, and the server goes on";
  s->refused = "work_mem = lots\n";
  s->unit.define("exec " + tests::as_postgres() + bin + "postgres -D " + server->data(),
                 "kill -HUP $MAINPID");
  PostgresqlConfig config;
  config.unit = "test.service";
  config.bin_dir = "/usr/lib/postgresql/15/bin";
  config.config_files = {s->config};
  config.socket_dir = server->folder();
  config.port = tests::RealPostgres::port;
  s->unit.service = make_postgresql_service(s->unit.host, config);
  break_start_script(*s);
  return made;
}

// A program of which only its unit is known, with a command that proves a reload.
Made systemd() {
  auto made = std::make_unique<Subject>();
  Subject* s = made.get();
  const std::string folder = s->unit.folder.path;
  s->config = folder + "/app.conf";
  write_file(folder + "/app.sh",
             "# Takes a configuration that says 'good', and ignores any other.\n"
             "take() { if grep -q good " +
                 s->config + "; then cp " + s->config + " " + folder +
                 "/loaded; fi; }\ntrap take HUP\ntrap 'exit 0' TERM\n"
                 "grep -q fatal " +
                 s->config +
                 " && trap - HUP\n"
                 "take\nwhile :; do sleep 0.05; done\n");
  s->configure = [s](int generation) {
    write_file(s->config, "good " + std::to_string(generation) + "\n");
  };
  s->break_silently = [s] { write_file(s->config, "bad\n"); };
  s->silence_is_told = false;
  s->has_workers = false;
  // No handler for HUP: `kill -HUP` exits 0 and ends it.
  const std::string start = "exec sh " + folder + "/app.sh";
  s->break_fatally = [s, folder] {
    write_file(folder + "/unit/reload", "kill -KILL $MAINPID\n");
    s->configure(9);
  };
  s->refused = "bad\n";
  s->unit.define(start, "kill -HUP $MAINPID");
  SystemdConfig config;
  config.unit = "test.service";
  config.config_files = {s->config};
  config.test = {"grep", "-q", "good", "{config}"};
  config.reload_proof = {"cmp", "-s", s->config, folder + "/loaded"};
  config.reload_failure = ports::ReloadFailureMode::unknown;
  s->unit.service = make_systemd_service(s->unit.host, config);
  break_start_script(*s);
  return made;
}

}  // namespace

const std::vector<SubjectMaker>& subjects() {
  static const std::vector<SubjectMaker> all{{"nginx",
                                              [] {
                                                auto made = nginx();
                                                break_start_script(*made);
                                                return made;
                                              }},
                                             {"apache", apache},
                                             {"haproxy", haproxy},
                                             {"php_fpm", php_fpm},
                                             {"gunicorn", gunicorn},
                                             {"redis", redis},
                                             {"postgresql", postgresql},
                                             {"systemd", systemd}};
  return all;
}

std::unique_ptr<Subject> make_subject(const std::string& name) {
  for (const SubjectMaker& maker : subjects()) {
    if (maker.name == name) return maker.make();
  }
  return nullptr;
}

}  // namespace hitless::service
