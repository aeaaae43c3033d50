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

std::string bash(const std::vector<CompletionVerb>& verbs) {
  std::string names, cases;
  for (const CompletionVerb& verb : verbs) {
    names += (names.empty() ? "" : " ") + verb.name;
    cases += "    " + verb.name + ") words='" + join(verb.flags, " ") + "' ;;\n";
  }
  return "# bash completion for hitless\n_hitless() {\n  local cur=${COMP_WORDS[COMP_CWORD]} verb= "
         "word words=\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n    case $word in -*) ;; *) "
         "verb=$word; break ;; esac\n  done\n"
         "  case $verb in\n    '') words='" +
         names + " --help --version' ;;\n" + cases +
         "  esac\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -o "
         "default -F _hitless hitless\n";
}

std::string zsh(const std::vector<CompletionVerb>& verbs) {
  std::string out = "#compdef hitless\n_hitless() {\n  local -a verbs\n  verbs=(\n";
  for (const CompletionVerb& verb : verbs)
    out += "    '" + verb.name + ":" + quoted(verb.about) + "'\n";
  out +=
      "  )\n  if (( CURRENT == 2 )); then _describe 'verb' verbs; return; fi\n  case $words[2] "
      "in\n";
  for (const CompletionVerb& verb : verbs)
    out += "    " + verb.name + ") compadd -- " + join(verb.flags, " ") + " ;;\n";
  return out + "  esac\n  _files\n}\n_hitless \"$@\"\n";
}

std::string fish(const std::vector<CompletionVerb>& verbs) {
  std::string out = "# fish completion for hitless\n";
  for (const CompletionVerb& verb : verbs) {
    out += "complete -c hitless -n __fish_use_subcommand -a " + verb.name + " -d '" +
           quoted(verb.about) + "'\n";
    for (const std::string& flag : verb.flags) {
      out += "complete -c hitless -n '__fish_seen_subcommand_from " + verb.name + "' -l " +
             flag.substr(2) + "\n";
    }
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
