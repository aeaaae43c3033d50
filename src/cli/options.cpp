#include "cli/options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

#include "base/text.hpp"
#include "cli/completion.hpp"
#include "cli/exit_code.hpp"
#include "cli/version.hpp"

namespace hitless::cli {
namespace {

constexpr const char* kIntro =
    "Restarts, reloads and reconfigures services behind load balancers with no client noticing.\n\n"
    "Examples:\n"
    "  hitless check                     is the fleet file right?\n"
    "  hitless plan web                  what would a restart of web do? (touches nothing)\n"
    "  hitless apply web                 roll out the new configuration of web\n"
    "  hitless restart web --limit web02 restart one instance\n"
    "  hitless demo                      see it all on this machine, in a minute\n";

constexpr const char* kOutro =
    "Exit codes: 0 ok, 1 error, 2 changes present (--detailed-exitcode), 3 failed and rolled "
    "back,\n"
    "4 failed and a human is needed, 5 a gate said no and nothing was touched, 6 stopped by the "
    "operator,\n"
    "7 stale plan, 64 usage, 78 configuration.";

struct Binder {
  CLI::App& app;
  Options& o;
  std::string color_text, progress_text;

  CLI::App* verb(const char* name, const char* about, const char* example) {
    CLI::App* sub = app.add_subcommand(name, about);
    sub->footer(
        std::string("Example: ") + example +
        "\nEvery command also takes -f, --state-dir, --json, --progress, --color and --no-color;\n"
        "these, and the exit codes: hitless --help");
    sub->callback([this, name] { o.verb = name; });
    sub->fallthrough();
    return sub;
  }

  void global() {
    app.add_option(
        "-f,--fleet", o.fleet_file,
        "fleet file (else $HITLESS_FLEET, ./hitless.yaml, ~/.config/hitless/, /etc/hitless/)");
    app.add_option("--state-dir", o.state_dir,
                   "journal and spool (else $HITLESS_STATE_DIR, else the XDG state directory)");
    app.add_flag("--json", o.json, "machine-readable output on stdout");
    app.add_flag_callback(
        "--color", [this] { o.color = ColorWish::always; }, "colour even when not on a terminal");
    app.add_flag_callback("--no-color", [this] { o.color = ColorWish::never; }, "no colour");
    app.add_option("--progress", progress_text, "auto, tty, plain, json or quiet")
        ->check(CLI::IsMember({"auto", "tty", "plain", "json", "quiet"}));
  }

  void selection(CLI::App* sub) {
    sub->add_option("--limit", o.limit, "only these hosts")->delimiter(',');
    sub->add_option("--canary", o.canary, "this host first, alone");
    sub->add_option("--at-once", o.at_once,
                    "at most so many at the same time (the floor still holds)")
        ->check(CLI::Range(1, 10'000));
  }

  void in_freeze(CLI::App* sub) {
    sub->add_option("--during-freeze", o.during_freeze,
                    "begin it although a freeze holds; the reason, which the journal keeps");
  }

  CLI::App* rollout(const char* name, const char* about, const char* example) {
    CLI::App* sub = verb(name, about, example);
    sub->add_option("service", o.service, "service in the fleet file");
    sub->add_option("--plan", o.plan_file, "run exactly this saved plan; refused when it is stale");
    sub->add_flag("-y,--yes", o.yes, "do not ask");
    sub->add_flag("--no-input", o.no_input, "never ask; needs --yes");
    sub->add_flag("--dry-run", o.dry_run, "only show the plan");
    sub->add_flag("--no-notify", o.no_notify, "send no notifications");
    in_freeze(sub);
    // Set by `hitless mcp`; it only takes rights away.
    sub->add_option("--by-agent", o.agent, "an agent of this name runs it")->group("");
    selection(sub);
    return sub;
  }

  void patching(CLI::App* sub) {
    sub->add_option("--package", o.packages, "patch: only these packages, and what they need")
        ->delimiter(',');
    sub->add_flag("--without-way-back", o.without_way_back,
                  "patch: also where an old version is nowhere to be had any more");
  }

  void only_if_needed(CLI::App* sub) {
    sub->add_flag("--if-needed", o.if_needed, "reboot: only hosts with /run/reboot-required");
  }

  void of_hosts(CLI::App* plan) {
    only_if_needed(plan);
    patching(plan);
  }

  // What works on the hosts of a service, and on all services that live there.
  void hosts() {
    only_if_needed(rollout("reboot",
                           "Reboot the hosts of a service, with all services there out of rotation",
                           "hitless reboot web --if-needed"));
    patching(rollout("patch",
                     "Upgrade packages on the hosts of a service, and restart what needs it",
                     "hitless patch web --package openssl,libssl3"));
  }

  // What goes on after the start: of a rollout that runs, was cut off or has ended.
  void recovery() {
    const auto on_one = [this](const char* name, const char* about, const char* example,
                               const char* id = "its id; without one, the only one that fits") {
      CLI::App* sub = verb(name, about, example);
      sub->add_option("rollout", o.id, id);
      return sub;
    };
    const auto asks = [this](CLI::App* sub) {
      sub->add_flag("-y,--yes", o.yes, "do not ask");
      sub->add_flag("--no-input", o.no_input, "never ask; needs --yes");
      sub->add_flag("--dry-run", o.dry_run, "only show the plan");
      sub->add_flag("--no-notify", o.no_notify, "send no notifications");
    };
    CLI::App* watch =
        on_one("watch",
               "The live screen of a rollout that runs elsewhere; Ctrl-C only ends the watching. "
               "With --triggers: what calls for a rollout, and as much of it as the policy allows",
               "hitless watch");
    watch->add_flag("--triggers", o.triggers,
                    "look for memory that grows, pending restarts and drift; names a service in "
                    "place of the rollout, or all");
    watch->add_option("--every", o.every, "--triggers: so often (60s)");
    watch->add_flag("--once", o.once, "--triggers: one look; exit 2 when there is something");
    watch
        ->add_option("--allow", o.triggers_allow,
                     "--triggers: read (only say), propose (plans) or act; the policy holds too")
        ->check(CLI::IsMember({"read", "propose", "act"}));
    watch->add_option("--listen", o.listen,
                      "--triggers: alerts of Alertmanager on 127.0.0.1:PORT/alertmanager (token in "
                      "$HITLESS_ALERT_TOKEN)");
    on_one("pause", "Take no further instance; what is in work comes back first",
           "hitless pause R-7f3a21");
    on_one("resume", "Go on after a pause, or end a rollout that was cut off", "hitless resume");
    on_one("abort", "Stop and roll back; also a rollout that was cut off",
           "hitless abort R-7f3a21");
    CLI::App* retry =
        on_one("retry", "The same again, for what a rollout failed on or did not come to",
               "hitless retry R-7f3a21", "its id; without one, the newest");
    asks(retry);
    in_freeze(retry);
    asks(on_one("rollback",
                "Put back the configuration that a rollout replaced, under the same rules",
                "hitless rollback R-7f3a21", "its id; without one, the newest"));
  }

  void report() {
    CLI::App* sub = verb("report",
                         "A rollout as one HTML file: certificate, phases, drains, latency, "
                         "checklist, change, journal; with --json its certificate",
                         "hitless report R-7f3a21 --out report.html");
    sub->add_option("rollout", o.id, "its id; without one, the newest");
    sub->add_option("-o,--out", o.out, "the file (default ROLLOUT.html; - for stdout)");
  }

  void asking() {
    CLI::App* incident =
        verb("incident", "An incident with its evidence and timeline; without an id, all",
             "hitless incident INC-3");
    incident->add_option("incident", o.id, "its id");
    incident->add_flag(
        "--model", o.second_opinion,
        "a second opinion on the evidence by the model that HITLESS_MODEL_URL names");
    verb("history", "Past rollouts", "hitless history --last 5")
        ->add_option("-n,--last", o.last, "how many")
        ->check(CLI::Range(1, 10'000));
    CLI::App* ask = verb("ask",
                         "Say it in plain words: what is understood, what would happen, then the "
                         "same question as always",
                         "hitless ask \"nginx on web01 leaks; restart it safely\"");
    ask->add_option("words", o.words, "a request or a question")->required();
    ask->add_flag("-y,--yes", o.yes, "do not ask before something is done");
    ask->add_flag("--no-input", o.no_input, "never ask; needs --yes");
    ask->add_flag("--dry-run", o.dry_run, "only show the plan");
    ask->add_flag("--no-notify", o.no_notify, "send no notifications");
    in_freeze(ask);
    ask->add_flag("--no-model", o.no_model, "only the vocabulary, also where a model is set up");
  }

  // What agents do, and what holds them.
  void agents() {
    CLI::App* approve = verb("approve", "Let a plan run that somebody else asked for; counts once",
                             "hitless approve P-1a2b3c4d");
    approve->add_option("plan", o.plan_file, "its file, or its id when an agent proposed it")
        ->required();
    approve->add_flag("-y,--yes", o.yes, "do not ask");
    approve->add_flag("--no-input", o.no_input, "never ask; needs --yes");
    CLI::App* kill =
        verb("kill-switch", "Stop every rollout at its next safe point, and let no new one begin",
             "hitless kill-switch engage --reason 'database is down'");
    kill->add_option("action", o.kill_action, "engage, release or status")
        ->required()
        ->check(CLI::IsMember({"engage", "release", "status"}));
    kill->add_option("--reason", o.reason, "engage: why, for whoever finds it");
    kill->add_flag("-y,--yes", o.yes, "release: do not ask");
    kill->add_flag("--no-input", o.no_input, "never ask");
    CLI::App* mcp = verb("mcp", "Serve the agents' tools over the Model Context Protocol",
                         "hitless mcp --allow propose");
    mcp->add_option("--http", o.mcp_http,
                    "listen on 127.0.0.1:PORT (token in $HITLESS_MCP_TOKEN) instead of standard "
                    "input and output");
    mcp->add_option("--allow", o.mcp_allow, "read, propose (plans) or act (rollouts)")
        ->check(CLI::IsMember({"read", "propose", "act"}));
  }

  void audit() {
    CLI::App* sub =
        verb("audit", "The journal: verify it, export it, its signed head, replay all rollouts",
             "hitless audit verify --key /mnt/usb/journal.pub --head heads.txt");
    sub->add_option("action", o.audit_action, "verify, export, head or replay")
        ->required()
        ->check(CLI::IsMember({"verify", "export", "head", "replay"}));
    sub->add_option("what", o.id,
                    "export: only this rollout; replay: the journal in this state folder");
    sub->add_option("--key", o.audit_key,
                    "verify: the public key, from a copy that was kept elsewhere");
    sub->add_option("--head", o.audit_head,
                    "verify: against a signed head from before (its line, or a file of them)");
  }

  void verbs() {
    CLI::App* check = verb("check", "Validate the fleet file; all errors at once", "hitless check");
    check->add_flag("--offline", o.offline,
                    "do not ask the load balancers whether pools and servers exist");
    CLI::App* doctor =
        verb("doctor", "Check the way to every host, load balancer and sink", "hitless doctor web");
    doctor->add_option("service", o.service, "only this service");
    doctor->add_flag(
        "--sudoers", o.sudoers,
        "only print the sudoers lines that hosts with `sudo: true` need; contacts no host");
    CLI::App* plan = verb("plan", "Show what a rollout would do; touches nothing",
                          "hitless plan web --for apply --out web.plan");
    plan->add_option("service", o.service, "service in the fleet file")->required();
    plan->add_option("--for", o.intent, "restart, reload, apply, reboot or patch")
        ->check(CLI::IsMember({"restart", "reload", "apply", "reboot", "patch"}));
    plan->add_option("--out", o.plan_file, "save the plan here (default SERVICE.plan; - for none)");
    plan->add_flag("--detailed-exitcode", o.detailed_exitcode,
                   "exit 2 when there is something to do");
    selection(plan);
    of_hosts(plan);
    rollout("restart", "Restart a service, instance by instance, with no client noticing",
            "hitless restart web");
    rollout("reload", "Reload a service and prove that each reload took effect",
            "hitless reload web");
    rollout("apply", "Roll out new configuration; reload or restart as the change needs",
            "hitless apply web --plan web.plan");
    hosts();
    recovery();
    asking();
    verb("status", "What is in rotation, what is not, and by whose hand", "hitless status web")
        ->add_option("service", o.service, "only this service");
    CLI::App* show = verb("show", "One rollout, step by step", "hitless show R-7f3a21");
    show->add_option("rollout", o.id, "its id")->required();
    show->add_option("--at", o.at_seq, "as it stood after this journal entry")
        ->check(CLI::PositiveNumber);
    verb("diff", "The configuration change of a rollout", "hitless diff R-7f3a21")
        ->add_option("rollout", o.id, "its id")
        ->required();
    report();
    audit();
    agents();
    verb("explain", "What an error code means and how to mend it", "hitless explain HL0104")
        ->add_option("code", o.id, "its code; without one, all codes");
    verb("schema", "The JSON Schema of the fleet file", "hitless schema > hitless.schema.json");
    verb("completion", "Shell completion",
         "hitless completion bash > /etc/bash_completion.d/hitless")
        ->add_option("shell", o.shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    CLI::App* demo = verb(
        "demo",
        "The whole story on this machine: HAProxy, three nginx, steady clients, a sabotaged config",
        "hitless demo");
    demo->add_flag("--no-input", o.no_input, "do not wait for a key between the acts");
  }
};

ProgressKind progress_kind(const std::string& text) {
  if (text == "tty") return ProgressKind::tree;
  if (text == "plain") return ProgressKind::plain;
  if (text == "json") return ProgressKind::json;
  if (text == "quiet") return ProgressKind::quiet;
  return ProgressKind::automatic;
}

// "TEXT:{a,b}" → a, b
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return split(std::string_view(type).substr(open + 1, close - open - 1), ',');
}

std::vector<CompletionVerb> walk(const CLI::App& app) {
  std::vector<CompletionVerb> verbs;
  for (const CLI::App* sub : app.get_subcommands({})) {
    CompletionVerb verb{sub->get_name(), sub->get_description(), {}, {}};
    for (const CLI::App* from : {sub, &app}) {
      for (const CLI::Option* option : from->get_options()) {
        if (option->get_positional() && option->get_lnames().empty())
          verb.words = choices_of(*option).empty() ? verb.words : choices_of(*option);
        if (option->get_group().empty()) continue;  // hidden
        for (const std::string& name : option->get_lnames()) {
          if (name != "version" && (name != "help" || from == sub))
            verb.flags.push_back("--" + name);
        }
      }
    }
    verbs.push_back(std::move(verb));
  }
  return verbs;
}

// CLI11 only says that a subcommand is missing; a misspelt verb deserves better.
bool complain_about_verb(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return false;
  std::vector<std::string> verbs;
  for (const CLI::App* sub : app.get_subcommands({})) verbs.push_back(sub->get_name());
  if (std::find(verbs.begin(), verbs.end(), argv[1]) != verbs.end()) return false;
  const std::string near = nearest(argv[1], verbs);
  std::fprintf(stderr, "error: no command `%s`\n   = help: %s\n",
               escape_for_terminal(argv[1]).c_str(),
               near.empty() ? ("there are " + join(verbs, ", ")).c_str()
                            : ("did you mean `" + near + "`?").c_str());
  return true;
}

}  // namespace

Parsed parse_options(int argc, char** argv) {
  Options options;
  CLI::App app{kIntro, "hitless"};
  app.footer(kOutro);
  app.set_version_flag("--version", std::string("hitless ") + kVersion);
  app.require_subcommand(1);
  Binder binder{app, options, {}, {}};
  binder.global();
  binder.verbs();
  if (argc <= 1) {
    std::fputs(app.help().c_str(), stderr);
    return {std::nullopt, kUsage};
  }
  if (complain_about_verb(app, argc, argv)) return {std::nullopt, kUsage};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return {std::nullopt, code == 0 ? kOk : kUsage};
  }
  options.progress = progress_kind(binder.progress_text);
  return {options, kOk};
}

std::string completion_script(const std::string& shell) {
  Options options;
  CLI::App app{kIntro, "hitless"};
  Binder binder{app, options, {}, {}};
  binder.global();
  binder.verbs();
  return render_completion(shell, walk(app));
}

}  // namespace hitless::cli
