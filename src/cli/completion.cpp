#include "cli/completion.hpp"

#include "base/text.hpp"

namespace hitless::cli {
namespace {

// A single-quoted word inside a single-quoted description.
std::string quoted(std::string text) {
  for (std::size_t at = text.find('\''); at != std::string::npos; at = text.find('\'', at + 4))
    text.replace(at, 1, "'\\''");
  return text;
}

// Options that come before the verb and take a value, which is not the verb.
constexpr const char* kValued = "-f|--fleet|--state-dir|--progress";

std::string choices(const CompletionVerb& verb) {
  std::vector<std::string> all = verb.words;
  all.insert(all.end(), verb.flags.begin(), verb.flags.end());
  return join(all, " ");
}

std::string bash(const std::vector<CompletionVerb>& verbs) {
  std::string names, cases;
  for (const CompletionVerb& verb : verbs) {
    names += (names.empty() ? "" : " ") + verb.name;
    cases += "    " + verb.name + ") words='" + choices(verb) + "' ;;\n";
  }
  return "# bash completion for hitless\n_hitless() {\n  local cur=${COMP_WORDS[COMP_CWORD]} verb= "
         "word words= skip=\n"
         "  case ${COMP_WORDS[COMP_CWORD-1]} in " +
         std::string(kValued) +
         ") return ;; esac\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    if [[ $skip ]]; then skip=; continue; fi\n    case $word in " +
         kValued +
         ") skip=1 ;; -*) ;; *) verb=$word; break ;; esac\n  done\n"
         "  case $verb in\n    '') words='" +
         names + " --help --version --fleet --state-dir --json --progress' ;;\n" + cases +
         "  esac\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -o "
         "default -F _hitless hitless\n";
}

std::string zsh(const std::vector<CompletionVerb>& verbs) {
  std::string out = "#compdef hitless\n_hitless() {\n  local -a verbs\n  verbs=(\n";
  for (const CompletionVerb& verb : verbs)
    out += "    '" + verb.name + ":" + quoted(verb.about) + "'\n";
  out +=
      "  )\n  local verb= word skip=\n"
      "  case $words[CURRENT-1] in " +
      std::string(kValued) +
      ") _files; return ;; esac\n"
      "  for word in ${words[2,CURRENT-1]}; do\n"
      "    if [[ -n $skip ]]; then skip=; continue; fi\n    case $word in " +
      kValued +
      ") skip=1 ;; -*) ;; *) verb=$word; break ;; esac\n  done\n"
      "  if [[ -z $verb ]]; then _describe 'verb' verbs; return; fi\n  case $verb in\n";
  for (const CompletionVerb& verb : verbs)
    out += "    " + verb.name + ") compadd -- " + choices(verb) + " ;;\n";
  // As an autoloaded file it is the function's body; sourced, it registers itself.
  return out +
         "  esac\n  _files\n}\nif [[ $zsh_eval_context[-1] == loadautofunc ]]; then _hitless "
         "\"$@\"; else compdef _hitless hitless; fi\n";
}

std::string fish(const std::vector<CompletionVerb>& verbs) {
  std::string out = "# fish completion for hitless\n", names;
  for (const CompletionVerb& verb : verbs) names += " " + verb.name;
  for (const CompletionVerb& verb : verbs) {
    const std::string after =
        "complete -c hitless -n '__fish_seen_subcommand_from " + verb.name + "' ";
    // Not __fish_use_subcommand: it takes the FILE of `-f FILE` for a verb.
    out += "complete -c hitless -n 'not __fish_seen_subcommand_from" + names + "' -a " + verb.name +
           " -d '" + quoted(verb.about) + "'\n";
    for (const std::string& word : verb.words) out += after + "-a " + word + "\n";
    for (const std::string& flag : verb.flags) out += after + "-l " + flag.substr(2) + "\n";
  }
  return out;
}

}  // namespace

std::string render_completion(const std::string& shell, const std::vector<CompletionVerb>& verbs) {
  if (shell == "zsh") return zsh(verbs);
  if (shell == "fish") return fish(verbs);
  return bash(verbs);
}

}  // namespace hitless::cli
