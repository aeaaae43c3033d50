#include "confdiff/nginx_match.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/text.hpp"
#include "confdiff/nginx_facts.hpp"
#include "confdiff/nginx_listen.hpp"
#include "confdiff/secrets.hpp"

namespace hitless::confdiff {
namespace {

constexpr std::size_t kMaxShownBytes = 240;
constexpr char kSeparator = '\x1f';  // between the parts of a key

std::string first_arg(const NginxNode& node) {
  return node.args.empty() ? "" : node.args[0];
}

std::string peer_address(const NginxNode& node) {
  const std::string address = first_arg(node);
  if (address.starts_with("unix:")) return address;
  const std::size_t colon = address.rfind(':');
  const bool has_port = colon != std::string::npos && address.find(']', colon) == std::string::npos;
  return has_port ? address : address + ":80";
}

// How many operands, from the front, the label shows.
std::size_t label_size(const NginxNode& node, const NginxRule& rule) {
  switch (rule.identity) {
    case NginxIdentity::first:
    case NginxIdentity::peer:
    case NginxIdentity::listen:
      return std::min<std::size_t>(1, node.args.size());
    case NginxIdentity::all:
      return node.args.size();
    case NginxIdentity::all_but_last:
      return node.args.empty() ? 0 : node.args.size() - 1;
    case NginxIdentity::last:
      return node.has_block ? node.args.size() : 0;
    case NginxIdentity::once:
      return node.has_block ? node.args.size() : 0;
    case NginxIdentity::env_name:
    case NginxIdentity::zone:
    case NginxIdentity::merged:
      return 0;
  }
  return 0;
}

std::string join_shown(const std::vector<std::string>& args, std::size_t begin, std::size_t end) {
  std::string out;
  for (std::size_t i = begin; i < end && out.size() <= kMaxShownBytes; ++i) {
    const std::string& arg = args[i];
    if (!out.empty()) out += ' ';
    const bool quoted = arg.empty() || arg.find_first_of(" \t\n;") != std::string::npos;
    out += quoted ? '"' + arg + '"' : arg;
  }
  return truncate_utf8(out, kMaxShownBytes);
}

// Parameters of an upstream server that only spell out the default are the same as none.
std::vector<std::string> peer_parameters(const NginxNode& node) {
  static const std::set<std::string> defaults = {"weight=1", "max_fails=1", "fail_timeout=10s",
                                                 "fail_timeout=10", "max_conns=0"};
  std::vector<std::string> parameters;
  for (std::size_t i = 1; i < node.args.size(); ++i) {
    if (!defaults.contains(node.args[i])) parameters.push_back(node.args[i]);
  }
  std::sort(parameters.begin(), parameters.end());
  return parameters;
}

std::vector<std::string> sorted(std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  return values;
}

std::string names_key(const NginxNode& server) {
  std::vector<std::string> names;
  for (const NginxNode& child : server.block) {
    if (child.name == "server_name")
      names.insert(names.end(), child.args.begin(), child.args.end());
  }
  return join(sorted(std::move(names)), " ");
}

std::string listens_key(const NginxNode& server, bool in_http) {
  std::vector<std::string> keys;
  for (const NginxListen& listen : listens_of(server, in_http)) keys.push_back(listen.key());
  return join(sorted(std::move(keys)), " ");
}

using KeyOf = std::function<std::string(const NginxNode&)>;

// Pairs those of equal, non-empty key that are still unpaired.
void pair_by(const KeyOf& key_of, const std::vector<const NginxNode*>& before,
             const std::vector<const NginxNode*>& after,
             std::unordered_map<const NginxNode*, const NginxNode*>& old_of,
             std::unordered_set<const NginxNode*>& taken) {
  std::unordered_map<std::string, std::deque<const NginxNode*>> waiting;
  for (const NginxNode* node : before) {
    if (!taken.contains(node)) waiting[key_of(*node)].push_back(node);
  }
  for (const NginxNode* node : after) {
    if (old_of.contains(node)) continue;
    const std::string key = key_of(*node);
    const auto found = waiting.find(key);
    if (key.empty() || found == waiting.end() || found->second.empty()) continue;
    old_of[node] = found->second.front();
    taken.insert(found->second.front());
    found->second.pop_front();
  }
}

}  // namespace

std::string nginx_key(const NginxNode& node, const NginxRule& rule) {
  std::string key = node.name + (node.has_block ? "{" : "") + kSeparator;
  switch (rule.identity) {
    case NginxIdentity::once:
    case NginxIdentity::merged:
      break;
    case NginxIdentity::first:
      key += first_arg(node);
      break;
    case NginxIdentity::last:
      key += node.args.empty() ? "" : node.args.back();
      break;
    case NginxIdentity::env_name:
      key += first_arg(node).substr(0, first_arg(node).find('='));
      break;
    case NginxIdentity::zone:
      key += nginx_zone(node).name;
      break;
    case NginxIdentity::listen:
      key += parse_nginx_listen(node.args).key();
      break;
    case NginxIdentity::peer:
      key += peer_address(node);
      break;
    case NginxIdentity::all:
      if (node.name == "if") return key + if_condition(node);
      key += join(rule.args_are_set ? sorted(node.args) : node.args, std::string(1, kSeparator));
      break;
    case NginxIdentity::all_but_last:
      for (std::size_t i = 0; i + 1 < node.args.size(); ++i) key += node.args[i] + kSeparator;
      break;
  }
  // Header names are the same in any case.
  if (rule.identity == NginxIdentity::first && node.name.ends_with("_header")) {
    for (char& c : key) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return key;
}

std::string nginx_label(const NginxNode& node, const NginxRule& rule, bool in_http) {
  if (node.has_block && node.name == "server") return redact(server_label(node, in_http));
  if (node.has_block && node.name == "if") return redact("if (" + if_condition(node) + ")");
  std::string label = truncate_utf8(node.name, kMaxShownBytes);
  std::string operands;
  if (rule.identity == NginxIdentity::listen)
    operands = parse_nginx_listen(node.args).shown();
  else if (rule.identity == NginxIdentity::zone)
    operands = nginx_zone(node).name;
  else if (rule.identity == NginxIdentity::env_name)
    operands = first_arg(node).substr(0, first_arg(node).find('='));
  else
    operands = join_shown(node.args, 0, label_size(node, rule));
  if (!operands.empty()) label += ' ' + redact(operands);
  return label;
}

std::string nginx_operands(const NginxNode& node, const NginxRule& rule,
                           const std::string& parent_name) {
  if (node.has_block) {
    if (!node.raw.empty()) return "(" + std::to_string(node.raw.size()) + " bytes of code)";
    return "(" + std::to_string(node.block.size()) +
           (node.block.size() == 1 ? " directive)" : " directives)");
  }
  if (rule.identity == NginxIdentity::env_name) {
    const std::string arg = first_arg(node);
    const std::size_t equals = arg.find('=');
    if (equals == std::string::npos) return {};
    return shown_value(arg.substr(0, equals), arg.substr(equals + 1));
  }
  const std::string value = join_shown(node.args, label_size(node, rule), node.args.size());
  // The name that tells a secret is the directive's, its first operand's or, in a map, the
  // variable's.
  const bool named = is_secret_name(node.name) || is_secret_name(parent_name) ||
                     (rule.identity == NginxIdentity::first && is_secret_name(first_arg(node)));
  return named && !value.empty() ? "[redacted]" : redact(value);
}

bool same_operands(const NginxNode& before, const NginxNode& after, const NginxRule& rule) {
  if (before.raw != after.raw) return false;
  if (before.args == after.args) return true;
  if (before.name == "if") return if_condition(before) == if_condition(after);
  if (rule.identity == NginxIdentity::peer)
    return peer_parameters(before) == peer_parameters(after);
  if (rule.identity == NginxIdentity::listen) {
    const NginxListen a = parse_nginx_listen(before.args), b = parse_nginx_listen(after.args);
    return a.options == b.options && a.default_server == b.default_server;
  }
  return rule.args_are_set && sorted(before.args) == sorted(after.args);
}

std::vector<NginxPair> pair_servers(const std::vector<const NginxNode*>& before,
                                    const std::vector<const NginxNode*>& after, bool in_http) {
  std::unordered_map<const NginxNode*, const NginxNode*> old_of;
  std::unordered_set<const NginxNode*> taken;
  const KeyOf listens = [in_http](const NginxNode& node) { return listens_key(node, in_http); };
  const KeyOf both = [&listens](const NginxNode& node) {
    return listens(node) + kSeparator + names_key(node);
  };
  pair_by(both, before, after, old_of, taken);
  pair_by(names_key, before, after, old_of, taken);
  pair_by(listens, before, after, old_of, taken);
  if (taken.size() + 1 == before.size() && old_of.size() + 1 == after.size()) {
    pair_by([](const NginxNode&) { return std::string("the only one left"); }, before, after,
            old_of, taken);
  }
  std::vector<NginxPair> pairs;
  for (const NginxNode* node : after) {
    const auto found = old_of.find(node);
    pairs.emplace_back(found == old_of.end() ? nullptr : found->second, node);
  }
  for (const NginxNode* node : before) {
    if (!taken.contains(node)) pairs.emplace_back(node, nullptr);
  }
  return pairs;
}

std::vector<NginxPair> pair_same_key(const std::vector<const NginxNode*>& before,
                                     const std::vector<const NginxNode*>& after) {
  std::vector<NginxPair> pairs;
  if (before.size() == 1 && after.size() == 1) return {{before[0], after[0]}};
  std::unordered_map<const NginxNode*, const NginxNode*> old_of;
  std::unordered_set<const NginxNode*> taken;
  pair_by([](const NginxNode& node) { return to_text(node); }, before, after, old_of, taken);
  pair_by([](const NginxNode&) { return std::string("in order"); }, before, after, old_of, taken);
  for (const NginxNode* node : after) {
    const auto found = old_of.find(node);
    pairs.emplace_back(found == old_of.end() ? nullptr : found->second, node);
  }
  for (const NginxNode* node : before) {
    if (!taken.contains(node)) pairs.emplace_back(node, nullptr);
  }
  return pairs;
}

}  // namespace hitless::confdiff
