// HL00xx: the file as text and YAML. HL01xx: its shape.
#include "fleet/explain_table.hpp"

namespace hitless::fleet {

namespace {

constexpr Explanation kTable[] = {
    {"HL0001", "the file cannot be read",
     "The fleet file, or a file it names, does not exist, is not a regular file, or may not be "
     "read by you.",
     "Nothing can be checked or planned without it.",
     "hitless check fleet/hitless.yml   # is called hitless.yaml",
     "hitless check fleet/hitless.yaml"},
    {"HL0002", "the file is too large",
     "At most 1 MiB is read of a fleet file, an inventory or a haproxy.cfg.",
     "A bound on the input is a bound on memory and time; no honest fleet file comes near it.",
     "hitless check access.log", "hitless check hitless.yaml"},
    {"HL0003", "not plain text",
     "A byte is not UTF-8, or is a control character such as NUL. A UTF-8 byte order mark and "
     "CRLF line ends are fine.",
     "Such bytes can hide text from the reader of a review, or move the cursor of a terminal.",
     "saved as UTF-16 or Latin-1 by an editor", "iconv -f latin1 -t utf8 old.yaml > hitless.yaml"},
    {"HL0004", "a tab in the indentation",
     "YAML allows spaces only before the first character of a line.",
     "How wide a tab is differs, so the structure would too.", "policy:\n<TAB>floor: 2",
     "policy:\n  floor: 2"},
    {"HL0005", "not YAML",
     "The text does not follow YAML's grammar from the marked place on; often the line above is "
     "the cause.",
     "A file that is read only in part would run only part of what it says.",
     "unit: \"nginx.service\nport: 80", "unit: \"nginx.service\"\nport: 80"},
    {"HL0006", "nested too deeply", "More than 32 levels, or a long run of opening brackets.",
     "Deep nesting exhausts the stack of YAML readers; a fleet file needs about eight levels.",
     "hosts: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[web01", "hosts: [web01]"},
    {"HL0007", "too many values", "A fleet file may hold 10,000 keys and values.",
     "A bound on memory and time. Large fleets belong in an inventory.",
     "hosts: { h00001: {}, h00002: {}, ... }", "inventory: ./inventory.ini"},
    {"HL0008", "anchors, aliases, tags and merge keys are not allowed",
     "`&name`, `*name`, `!tag` and `<<` are parts of YAML that hitless refuses.",
     "Aliases let ten lines become a billion values, and with them a reader cannot see what a "
     "line means where it stands.",
     "a: &p { floor: 2 }\nb: *p", "a: { floor: 2 }\nb: { floor: 2 }"},
    {"HL0009", "the file is empty", "There is nothing in it but blank lines and comments.",
     "An empty fleet is more often a mistake (a failed template, a wrong path) than a wish.",
     "# todo", "version: 1\nservices: ..."},
    {"HL0010", "more than one YAML document", "A `---` starts a second document.",
     "Only the first would be used, silently.", "version: 1\n---\nversion: 1",
     "two files, one for each fleet"},
    {"HL0101", "unknown version",
     "`version` tells which format the file is in; this hitless reads version 1.",
     "A newer format may mean something else by the same words.", "version: 2", "version: 1"},
    {"HL0102", "a key is missing", "This part cannot do without the key that is named.",
     "There is no default that would be right for everybody.",
     "services:\n  web:\n    hosts: [web01]",
     "services:\n  web:\n    kind: nginx\n    hosts: [web01]"},
    {"HL0103", "a key is there twice", "The same key appears twice in one map.",
     "YAML readers disagree on which one counts, so a reviewer and the program may read "
     "different values.",
     "policy: { floor: 2, floor: 1 }", "policy: { floor: 2 }"},
    {"HL0104", "unknown key", "No such key exists at this place.",
     "An ignored typo would leave you on the default while the file seems to say otherwise.",
     "drain: { deadlin: 120s }", "drain: { deadline: 120s }"},
    {"HL0105", "wrong type",
     "The value is of another type than this key wants: a list for a map, text for a number and "
     "so on.",
     "Guessing a conversion would sometimes guess wrong.", "port: \"80\"\nsudo: yes",
     "port: 80\nsudo: true"},
    {"HL0106", "text that needs quotes",
     "Text is wanted, but YAML reads the unquoted word as a number or a boolean.",
     "0644 becomes 420, no becomes false, 1e3 becomes 1000: the value that arrives is not the "
     "one you see.",
     "mode: 0644", "mode: \"0644\""},
    {"HL0107", "not a possible value", "Only the listed words are possible here.",
     "A misspelled choice must not become the default silently.", "on_deadline: kill",
     "on_deadline: force"},
    {"HL0108", "out of range", "The number, percentage or count lies outside what makes sense.",
     "It would fail later, in the middle of a rollout.", "port: 80800", "port: 8080"},
    {"HL0109", "a bad duration", "Durations are a number and a unit: ms, s, m, h or d.",
     "A bare 30 is seconds to one reader and milliseconds to the next.", "deadline: 30",
     "deadline: 30s"},
    {"HL0110", "a command must be a list of words",
     "Commands are lists: the program, then its arguments.",
     "No shell reads them, so nothing is split at spaces, expanded or injected. Write a shell as "
     "a word if you need one.",
     "reload: \"nginx -s reload\"", "reload: [nginx, -s, reload]"},
    {"HL0111", "a value of a wrong form",
     "A host, unit, user, path or name holds characters that it cannot hold.",
     "Names end up in argument lists and paths; one that starts with `-` would be an option.",
     "hosts:\n  -oProxyCommand=id: {}", "hosts:\n  web01: {}"},
    {"HL0112", "a bad URL or endpoint",
     "Not a URL, host:port or socket of the wanted kind. User names and passwords are not "
     "allowed in URLs.",
     "It would fail, or reach another place than it seems to.", "socket: /run/haproxy/admin.sock",
     "socket: \"unix:/run/haproxy/admin.sock\""},
    {"HL0113", "unknown placeholder",
     "The text in braces is not one of those that are filled in here.",
     "It would be used literally.", "server: \"{hots}\"", "server: \"{host}\""},
    {"HL0114", "not for this kind", "The key exists, but only for another `kind`.",
     "It would have no effect.", "kind: systemd\nnginx: {}", "kind: nginx\nnginx: {}"},
    {"HL0115", "exactly one way",
     "Several keys are alternatives; one of them must be there, and only one.",
     "With two nobody knows which one is meant; with none there is nothing to do.",
     "health: { http: \"http://...\", tcp: \"...\" }",
     "health: { http: \"http://{address}:{port}/healthz\" }"},
    {"HL0116", "no value", "There is nothing after the colon.",
     "An empty value may be a line that was lost.", "port:", "port: 80"},
};

}  // namespace

std::span<const Explanation> file_explanations() {
  return kTable;
}

}  // namespace hitless::fleet
