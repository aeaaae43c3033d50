// sshd_config: a keyword and its words on each line, and Match blocks to the next Match or the end
// of the file. Whoever manages hosts over ssh can lock itself out here, so that all that decides
// who may log in, and where, is for a person.
#include <algorithm>

#include "base/text.hpp"
#include "confdiff/directives.hpp"
#include "confdiff/parts.hpp"
#include "confdiff/rule_rows.hpp"

namespace hitless::confdiff {
namespace {

constexpr ChangeClass R = ChangeClass::reload, W = ChangeClass::reload_watch,
                      H = ChangeClass::human_only;

struct Row {
  std::string_view names;  // in small letters, between blanks
  ChangeClass change_class;
  Topic topic;
  std::string_view reason;
};

// Meant to be read and corrected. What is not here is a restart.
constexpr Row kRows[] = {
    {"port listenaddress addressfamily", H, Topic::listen, "hitless itself may come in there"},
    {"permitrootlogin authenticationmethods pubkeyauthentication passwordauthentication "
     "kbdinteractiveauthentication challengeresponseauthentication usepam authorizedkeysfile "
     "authorizedkeyscommand authorizedkeyscommanduser authorizedprincipalsfile trustedusercakeys "
     "pubkeyacceptedalgorithms pubkeyacceptedkeytypes revokedkeys forcecommand permittty "
     "chrootdirectory gssapiauthentication hostbasedauthentication kerberosauthentication "
     "strictmodes disableforwarding maxsessions permituserrc casignaturealgorithms "
     "authorizedprincipalscommand authorizedprincipalscommanduser pubkeyauthoptions",
     H, Topic::body, "it may lock hitless itself out"},
    {"allowusers denyusers allowgroups denygroups", H, Topic::body,
     "it may lock hitless' own account out"},
    {"match include", H, Topic::body, "which settings count for whom changes"},
    {"hostkey hostcertificate hostkeyalgorithms hostkeyagent", W, Topic::tls,
     "clients that know the old host key refuse the new one"},
    {"ciphers macs kexalgorithms rekeylimit requiredrsasize fingerprinthash", W, Topic::tls,
     "clients that cannot do the new algorithms are refused"},
    {"maxstartups persourcemaxstartups persourcenetblocksize logingracetime maxauthtries "
     "clientaliveinterval clientalivecountmax tcpkeepalive usedns channeltimeout "
     "unusedconnectiontimeout",
     W, Topic::timeouts, "how connections are taken and kept"},
    {"loglevel syslogfacility logverbose", R, Topic::logs, ""},
    {"banner printmotd printlastlog versionaddendum debianbanner x11forwarding x11displayoffset "
     "x11uselocalhost xauthlocation acceptenv setenv subsystem allowtcpforwarding "
     "allowagentforwarding allowstreamlocalforwarding gatewayports permitopen permitlisten "
     "permittunnel permituserenvironment compression ipqos streamlocalbindmask "
     "streamlocalbindunlink exposeauthinfo ignorerhosts ignoreuserknownhosts permitemptypasswords",
     R, Topic::body, "for new sessions"},
};

const Row* row_of(const std::string& name) {
  static const auto* index = new auto(rows_by_name(kRows));
  const auto found = index->find(name);
  return found == index->end() ? nullptr : found->second;
}

bool holds_all(const std::vector<std::string>& of, const std::vector<std::string>& in) {
  return std::all_of(of.begin(), of.end(), [&](const std::string& word) {
    return std::find(in.begin(), in.end(), word) != in.end();
  });
}

// Letting more people in locks nobody out.
void judge(Change& change, const Directive* before, const Directive* after) {
  const std::string name = lower((after != nullptr ? *after : *before).name);
  const bool allow = name == "allowusers" || name == "allowgroups";
  const bool deny = name == "denyusers" || name == "denygroups";
  if (!allow && !deny) return;
  const bool both = before != nullptr && after != nullptr;
  const bool wider = allow ? both && holds_all(before->words, after->words)
                           : after == nullptr || (both && holds_all(after->words, before->words));
  if (!wider) return;
  change.change_class = ChangeClass::reload;
  change.reason = "more people may log in, in new sessions";
}

}  // namespace

tl::expected<Directives, ParseError> parse_sshd(const Files& files, const std::string& main_path) {
  Directives all;
  for (const auto* file : in_order(files, main_path)) {
    std::string section;
    int number = 0;
    for (const std::string& text : split(file->second, '\n')) {
      ++number;
      std::string line(trim(text));
      if (line.empty() || line.front() == '#') continue;
      if (all.size() >= kMaxDirectives) {
        return tl::unexpected(ParseError{"too many directives", file->first, number, 1,
                                         excerpt_of(file->second, number, 1)});
      }
      // "Port=22" is "Port 22".
      const std::size_t end = line.find_first_of(" \t=");
      if (end != std::string::npos && line[line.find_first_not_of(" \t", end)] == '=')
        line[line.find('=', end)] = ' ';
      std::vector<std::string> words = directive_words(line);
      Directive directive;
      directive.name = words.front();
      directive.words.assign(words.begin() + 1, words.end());
      directive.file = file->first;
      directive.line = number;
      directive.column = static_cast<int>(text.find_first_not_of(" \t")) + 1;
      if (lower(directive.name) == "match")
        section = "Match " + join(directive.words, " ");
      else
        directive.section = section;
      all.push_back(std::move(directive));
    }
  }
  return all;
}

DirectiveRule sshd_rule(const Directive& directive) {
  const Row* row = row_of(lower(directive.name));
  if (row == nullptr) return {};
  return {row->change_class, row->topic, std::string(row->reason)};
}

DiffResult diff_sshd(const Files& before, const Files& after, const std::string& main_path,
                     const Context&) {
  const DirectiveDialect dialect{parse_sshd, sshd_rule, judge,
                                 "of several values the first one counts"};
  return diff_directives(dialect, before, after, main_path);
}

}  // namespace hitless::confdiff
