// Apache: lines with '\' at their end go on, <Section …> to </Section>, '#' starts a comment only
// at the start of a line.
#include <set>

#include "base/text.hpp"
#include "confdiff/directives.hpp"
#include "confdiff/glob.hpp"
#include "confdiff/parts.hpp"
#include "confdiff/rule_rows.hpp"

namespace hitless::confdiff {
namespace {

// The file being read, with the sections that are open at this line.
struct ApacheFile {
  const std::string& path;
  const std::string& content;
  std::vector<std::pair<std::string, std::string>> open;  // name in small letters, label
  std::vector<std::pair<int, int>> places;                // where each was opened
};

tl::unexpected<ParseError> broken(const ApacheFile& in, std::string what, int line, int column) {
  return tl::unexpected(
      ParseError{std::move(what), in.path, line, column, excerpt_of(in.content, line, column)});
}

std::string section_of(const ApacheFile& in) {
  std::string text;
  for (const auto& [name, label] : in.open) text += (text.empty() ? "" : " > ") + label;
  return text;
}

// "<VirtualHost *:80>" → VirtualHost and *:80.
std::vector<std::string> head_words(std::string_view line) {
  std::string inside(line.substr(1));
  if (const std::size_t end = inside.rfind('>'); end != std::string::npos) inside.resize(end);
  return directive_words(inside);
}

tl::expected<void, ParseError> read_line(ApacheFile& in, const std::string& line, int number,
                                         int column, Directives& out) {
  if (line.starts_with("</")) {
    const std::string name = lower(trim(line.substr(2, line.find('>') - 2)));
    if (in.open.empty())
      return broken(in, "</" + name + "> closes a section that is not open", number, column);
    if (in.open.back().first != name) {
      return broken(in, "</" + name + "> where </" + in.open.back().first + "> should stand",
                    number, column);
    }
    in.open.pop_back();
    in.places.pop_back();
    return {};
  }
  const bool head = line.front() == '<';
  std::vector<std::string> words = head ? head_words(line) : directive_words(line);
  if (words.empty()) return broken(in, "a section without a name", number, column);
  Directive directive;
  directive.name = words.front();
  directive.words.assign(words.begin() + 1, words.end());
  directive.section = section_of(in);
  directive.file = in.path;
  directive.line = number;
  directive.column = column;
  if (head) {
    if (in.open.size() >= static_cast<std::size_t>(kMaxSectionDepth))
      return broken(in, "sections are nested too deeply", number, column);
    in.open.emplace_back(lower(words.front()), join(words, " "));
    in.places.emplace_back(number, column);
    directive.name = "<" + words.front() + ">";
  }
  out.push_back(std::move(directive));
  return {};
}

tl::expected<void, ParseError> read_file(ApacheFile in, Directives& out) {
  std::string whole;
  int number = 0, started = 0;
  for (const std::string& text : split(in.content, '\n')) {
    ++number;
    if (whole.empty()) started = number;
    if (text.ends_with('\\') && number > 0) {
      whole += text.substr(0, text.size() - 1) + " ";
      continue;
    }
    whole += text;
    const std::string line(trim(whole));
    const int column = static_cast<int>(whole.find_first_not_of(" \t")) + 1;
    whole.clear();
    if (line.empty() || line.front() == '#') continue;
    if (out.size() >= kMaxDirectives) return broken(in, "too many directives", started, 1);
    if (auto ok = read_line(in, line, started, column, out); !ok) return ok;
  }
  if (in.open.empty()) return {};
  return broken(in, "<" + in.open.back().second + "> is not closed", in.places.back().first,
                in.places.back().second);
}

constexpr ChangeClass R = ChangeClass::reload, W = ChangeClass::reload_watch,
                      S = ChangeClass::restart;

struct Row {
  std::string_view names;  // in small letters, between blanks
  ChangeClass change_class;
  Topic topic;
  std::string_view reason;
};

// Meant to be read and corrected. What is not here is a restart.
constexpr Row kRows[] = {
    {"listen <virtualhost> namevirtualhost", W, Topic::listen,
     "a port that cannot be bound ends the whole server"},
    {"errorlog customlog transferlog globallog logformat loglevel errorlogformat forensiclog "
     "scriptlog rewritelog dumpioinput dumpiooutput",
     W, Topic::logs, "a log that cannot be opened ends the whole server"},
    {"sslcertificatefile sslcertificatekeyfile sslcertificatechainfile sslcacertificatefile "
     "sslcacertificatepath sslcarevocationfile sslcarevocationpath sslengine sslprotocol "
     "sslciphersuite sslhonorcipherorder sslverifyclient sslverifydepth sslsessioncache "
     "sslsessioncachetimeout sslsessiontickets ssloptions sslusestapling sslstaplingcache "
     "sslopensslconfcmd sslrequiressl sslrequire sslrandomseed sslpassphrasedialog sslcryptodevice "
     "sslstaplingrespondertimeout sslstaplingreturnrespondererrors sslproxyengine sslproxyverify "
     "sslproxycheckpeername sslproxycacertificatefile",
     W, Topic::tls, "a certificate or key that cannot be used ends the whole server"},
    {"timeout keepalive keepalivetimeout maxkeepaliverequests requestreadtimeout proxytimeout "
     "gracefulshutdowntimeout",
     W, Topic::timeouts, "a timeout"},
    {"maxrequestworkers maxclients startservers minspareservers maxspareservers minsparethreads "
     "maxsparethreads threadsperchild maxconnectionsperchild maxrequestsperchild listenbacklog "
     "asyncrequestworkerfactor loadmodule hostnamelookups servertokens",
     W, Topic::process, "workers or modules of the server"},
    {"serverlimit threadlimit pidfile user group mutex scoreboardfile serverroot coredumpdirectory "
     "threadstacksize maxmemfree enablemmap chrootdir defaultruntimedir acceptfilter "
     "receivebuffersize sendbuffersize",
     S, Topic::process, "only a start reads it for sure"},
    {"include includeoptional define undefine use <macro> <ifmodule> <ifdefine> <ifversion> "
     "<iffile> <ifdirective> <ifsection>",
     W, Topic::body, "which parts of the configuration count changes"},
    {"proxypass proxypassreverse proxypassmatch proxyset balancermember <proxy> <proxymatch> "
     "proxypreservehost proxyrequests proxyvia proxyerroroverride proxyaddheaders proxybadheader "
     "proxyiobuffersize proxypassinherit proxypassinterpolateenv proxypassreversecookiedomain "
     "proxypassreversecookiepath proxymaxforwards proxyblock proxydomain proxyremote "
     "proxyfcgisetenvif proxywebsocketfallbacktoproxyhttp proxyfcgibackendtype",
     R, Topic::upstream, ""},
    {"<directory> <directorymatch> <files> <filesmatch> <location> <locationmatch> <limit> "
     "<limitexcept> <if> <elseif> <else> <requireall> <requireany> <requirenone>",
     R, Topic::body, ""},
    {"servername serveralias serveradmin serversignature serverpath documentroot directoryindex "
     "directoryslash fallbackresource options allowoverride allowoverridelist require order allow "
     "deny satisfy alias aliasmatch scriptalias scriptaliasmatch redirect redirectmatch "
     "redirectpermanent redirecttemp rewriteengine rewriterule rewritecond rewritebase rewritemap "
     "rewriteoptions header requestheader setenv unsetenv passenv setenvif setenvifnocase "
     "browsermatch browsermatchnocase errordocument addtype addhandler sethandler action "
     "addcharset adddefaultcharset addencoding addlanguage languagepriority forcelanguagepriority "
     "forcetype typesconfig mimemagicfile removehandler removetype defaulttype multiviewsmatch "
     "addoutputfilter addoutputfilterbytype setoutputfilter setinputfilter addinputfilter "
     "deflatecompressionlevel deflatefilternote filterdeclare filterprovider filterchain "
     "expiresactive expiresbytype expiresdefault authtype authname authuserfile authgroupfile "
     "authbasicprovider authdigestprovider authzuserfile limitrequestbody limitrequestfields "
     "limitrequestfieldsize limitrequestline limitxmlrequestbody usecanonicalname "
     "usecanonicalphysicalport accessfilename indexoptions indexignore "
     "indexorderdefault addicon addiconbytype addiconbyencoding addalt defaulticon "
     "readmename headername fileetag traceenable extendedstatus contentdigest allowencodedslashes "
     "acceptpathinfo allowmethods cgimapextension substitute inputsed outputsed cacheenable "
     "cacheroot cachedisable cachedefaultexpire remoteipheader remoteipinternalproxy "
     "remoteiptrustedproxy protocols h2push h2direct httpprotocoloptions mergeslashes "
     "dirindex userdir xbithack ssilegacyexprparser scriptinterpretersource charsetdefault",
     R, Topic::body, ""},
};

const Row* row_of(const std::string& name) {
  static const auto* index = new auto(rows_by_name(kRows));
  const auto found = index->find(name);
  return found == index->end() ? nullptr : found->second;
}

// "80", "10.0.0.1:80", "[::]:80" → 80.
int port_of(const Directive& listen) {
  if (listen.words.empty()) return 0;
  const std::string& word = listen.words.front();
  const std::size_t colon = word.rfind(':');
  int port = 0;
  for (const char c : word.substr(colon == std::string::npos ? 0 : colon + 1, 6)) {
    if (c < '0' || c > '9') return 0;
    port = port * 10 + (c - '0');
  }
  return port;
}

void judge(Change& change, const Directive* before, const Directive* after,
           const std::set<int>& new_ports, const Context& context) {
  const std::string name = lower((after != nullptr ? *after : *before).name);
  if (name == "listen" && before != nullptr) {
    const int port = port_of(*before);
    const bool ours = context.port == 0 || port == context.port;
    if (ours && !new_ports.contains(port)) {
      change.change_class = ChangeClass::human_only;
      change.reason = context.port == 0 ? "the port that clients or load balancers use is not known"
                                        : "the load balancer sends to this port";
    }
  }
  const bool health = name == "<location>" && before != nullptr && !context.health_path.empty() &&
                      !before->words.empty() && before->words.front() == context.health_path;
  if (health && after == nullptr) {
    change.change_class = ChangeClass::human_only;
    change.reason = "it answers the health check";
  }
}

}  // namespace

tl::expected<Directives, ParseError> parse_apache(const Files& files,
                                                  const std::string& main_path) {
  Directives all;
  for (const auto* file : in_order(files, main_path)) {
    if (auto ok = read_file({file->first, file->second, {}, {}}, all); !ok)
      return tl::unexpected(ok.error());
  }
  return all;
}

bool apache_includes(const Files& files, const std::string& main_path, const std::string& path) {
  const auto parsed = parse_apache(files, main_path);
  if (!parsed) return true;
  std::string root = folder_of(main_path);
  for (const Directive& each : *parsed) {
    const std::string name = lower(each.name);
    if (each.words.empty()) continue;
    if (name == "serverroot") root = absolute_path(each.words.front(), root);
    if (name != "include" && name != "includeoptional") continue;
    const std::string pattern = absolute_path(each.words.front(), root);
    if (is_under(path, pattern) || glob_match(pattern, path)) return true;
  }
  return false;
}

DirectiveRule apache_rule(const Directive& directive) {
  const std::string name = lower(directive.name);
  const bool mpm = name == "loadmodule" && !directive.words.empty() &&
                   lower(directive.words.front()).starts_with("mpm_");
  if (mpm) {
    return {ChangeClass::restart, Topic::process,
            "another way of working (MPM) needs a start; a graceful restart ends the server"};
  }
  const Row* row = row_of(name);
  if (row == nullptr) return {};
  return {row->change_class, row->topic, std::string(row->reason)};
}

DiffResult diff_apache(const Files& before, const Files& after, const std::string& main_path,
                       const Context& context) {
  std::set<int> new_ports;
  if (const auto parsed = parse_apache(after, main_path)) {
    for (const Directive& each : *parsed) {
      if (lower(each.name) == "listen") new_ports.insert(port_of(each));
    }
  }
  const DirectiveDialect dialect{
      parse_apache, apache_rule,
      [&](Change& change, const Directive* old_one, const Directive* new_one) {
        judge(change, old_one, new_one, new_ports, context);
      },
      "later directives override earlier ones"};
  return diff_directives(dialect, before, after, main_path);
}

}  // namespace hitless::confdiff
