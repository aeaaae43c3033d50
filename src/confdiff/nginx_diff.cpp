#include "confdiff/nginx_diff.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/text.hpp"
#include "confdiff/change_list.hpp"
#include "confdiff/nginx_facts.hpp"
#include "confdiff/nginx_match.hpp"
#include "confdiff/nginx_sockets.hpp"

namespace hitless::confdiff {
namespace {

// Where the walk is: the enclosing block on both sides.
struct Scope {
  std::string path;            // "http > upstream api"
  std::string parent;          // its directive's name, "" at the top
  std::string parent_operand;  // its last operand: the variable of a map
  bool in_http = false;
  bool in_upstream = false;
  bool in_health = false;  // inside the location that answers the health check
  bool hashed = false;     // an upstream whose order of servers matters
};

struct Verdict {
  ChangeClass change_class = ChangeClass::reload_watch;
  Topic topic = Topic::unknown;
  std::string reason;
};

std::string path_in(const Scope& scope, const std::string& label) {
  return scope.path.empty() ? label : scope.path + " > " + label;
}

bool is_hashed(const NginxNode& upstream) {
  return std::any_of(upstream.block.begin(), upstream.block.end(), [](const NginxNode& node) {
    return node.name == "ip_hash" || node.name == "hash";
  });
}

// A changed zone: its key (or path and levels) cannot change under the same name and size, and
// nginx says so only in its log. With another size the zone is made anew and all goes well, state
// apart.
Verdict judge_zone(const NginxNode& before, const NginxNode& after, const NginxRule& rule) {
  const NginxZone a = nginx_zone(before), b = nginx_zone(after);
  if (!same_size(a.size, b.size)) {
    return {ChangeClass::reload_watch, rule.topic, "zone size: what it holds is lost"};
  }
  const auto operand = [](const NginxNode& node, std::string_view prefix) -> std::string {
    for (const std::string& arg : node.args)
      if (arg.starts_with(prefix)) return arg;
    return {};
  };
  const bool first_same =
      !before.args.empty() && !after.args.empty() && before.args[0] == after.args[0];
  if (before.name.ends_with("_cache_path")) {
    if (!first_same || operand(before, "levels=") != operand(after, "levels=")) {
      return {ChangeClass::restart, rule.topic,
              "same keys_zone, other path or levels: a reload is refused, silently"};
    }
  } else if (before.name.ends_with("_zone") && !first_same) {
    return {ChangeClass::restart, rule.topic,
            "same zone, other key: a reload is refused, silently"};
  }
  return {rule.changed, rule.topic, std::string(rule.reason)};
}

class TreeDiff {
 public:
  TreeDiff(const NginxTree& before, const NginxTree& after, const Context& context)
      : before_(before),
        after_(after),
        context_(context),
        old_facts_(nginx_facts(before, context)),
        new_facts_(nginx_facts(after, context)) {
    for (const NginxNode* one : new_facts_.health) {
      health_stays_explicit_ |=
          one->name == "location" && is_location_of(*one, context.health_path);
    }
  }

  std::vector<Change> run() {
    diff_blocks(before_.root, after_.root, Scope{});
    for (Change& change :
         socket_changes(before_, after_, old_facts_.sockets, new_facts_.sockets, context_))
      changes_.add(std::move(change));
    default_server_changes();
    if (order_differs(old_facts_.regex_server_names, new_facts_.regex_server_names)) {
      add_order_change("http > server_name (regular expressions)", nullptr,
                       join(old_facts_.regex_server_names, " "),
                       join(new_facts_.regex_server_names, " "), ChangeClass::reload, Topic::body);
    }
    return changes_.take();
  }

 private:
  using Nodes = std::vector<const NginxNode*>;
  struct Group {
    const NginxRule* rule = nullptr;
    Nodes before, after;
  };

  void diff_blocks(const std::vector<NginxNode>& before, const std::vector<NginxNode>& after,
                   const Scope& scope) {
    std::unordered_map<std::string, std::size_t> index;
    std::vector<Group> groups;
    Nodes old_servers, new_servers;
    const auto sort_in = [&](const std::vector<NginxNode>& nodes, bool is_new) {
      for (const NginxNode& node : nodes) {
        if (node.name == "server" && node.has_block) {
          (is_new ? new_servers : old_servers).push_back(&node);
          continue;
        }
        const NginxRule& rule = nginx_rule(scope.parent, node.name);
        const auto [place, fresh] = index.try_emplace(nginx_key(node, rule), groups.size());
        if (fresh) groups.push_back(Group{&rule, {}, {}});
        Group& group = groups[place->second];
        (is_new ? group.after : group.before).push_back(&node);
      }
    };
    sort_in(after, true);
    sort_in(before, false);
    for (const Group& group : groups) diff_group(group, scope);
    for (const auto& [old_one, new_one] : pair_servers(old_servers, new_servers, scope.in_http)) {
      if (old_one != nullptr && new_one != nullptr) new_of_[old_one] = new_one;
      diff_pair(old_one, new_one, nginx_rule(scope.parent, "server"), scope);
    }
    diff_orders(before, after, scope);
  }

  void diff_group(const Group& group, const Scope& scope) {
    if (group.rule->identity == NginxIdentity::merged) return diff_merged(group, scope);
    const auto pairs = pair_same_key(group.before, group.after);
    bool all_paired = true;
    for (const auto& [old_one, new_one] : pairs) {
      all_paired &= old_one != nullptr && new_one != nullptr;
      diff_pair(old_one, new_one, *group.rule, scope);
    }
    if (group.after.size() < 2 || !all_paired) return;
    // The same lines in another order: repeated headers go out in the order written.
    const auto texts = [](const Nodes& nodes) {
      std::vector<std::string> out;
      for (const NginxNode* node : nodes) out.push_back(to_text(*node));
      return out;
    };
    if (!order_differs(texts(group.before), texts(group.after))) return;
    const NginxNode& node = *group.after[0];
    add_order_change(path_in(scope, nginx_label(node, *group.rule, scope.in_http)), &node,
                     shown_all(group.before, *group.rule, scope),
                     shown_all(group.after, *group.rule, scope), group.rule->changed,
                     topic_of(*group.rule, scope));
  }

  static std::string shown_all(const Nodes& nodes, const NginxRule& rule, const Scope& scope) {
    std::vector<std::string> out;
    for (const NginxNode* node : nodes)
      out.push_back(nginx_operands(*node, rule, scope.parent_operand));
    return truncate_utf8(join(out, " | "), 500);
  }

  // Several lines that are one list. Its first word counts ($server_name), the others in any order.
  void diff_merged(const Group& group, const Scope& scope) {
    const auto words = [](const Nodes& nodes) {
      std::vector<std::string> out;
      for (const NginxNode* node : nodes)
        out.insert(out.end(), node->args.begin(), node->args.end());
      if (out.size() > 1) std::sort(out.begin() + 1, out.end());
      return out;
    };
    const auto old_words = words(group.before), new_words = words(group.after);
    if (old_words == new_words && group.before.empty() == group.after.empty()) return;
    Change change;
    const NginxNode& node = group.after.empty() ? *group.before[0] : *group.after[0];
    change.kind = group.before.empty()  ? ChangeKind::added
                  : group.after.empty() ? ChangeKind::removed
                                        : ChangeKind::changed;
    change.path = path_in(scope, node.name);
    change.before = redact(truncate_utf8(join(old_words, " "), 240));
    change.after = redact(truncate_utf8(join(new_words, " "), 240));
    place(change, node, !group.after.empty());
    finish(change, judge_by_table(change.kind, *group.rule, scope));
  }

  void diff_pair(const NginxNode* old_one, const NginxNode* new_one, const NginxRule& rule,
                 const Scope& scope) {
    if (old_one == nullptr || new_one == nullptr) return one_sided(old_one, new_one, rule, scope);
    if (!same_operands(*old_one, *new_one, rule)) {
      Change change;
      change.path = path_in(scope, nginx_label(*new_one, rule, scope.in_http));
      if (new_one->has_block && new_one->raw.empty() && old_one->raw.empty()) {
        change.before = redact(truncate_utf8(join(old_one->args, " "), 240));
        change.after = redact(truncate_utf8(join(new_one->args, " "), 240));
      } else {
        change.before = nginx_operands(*old_one, rule, scope.parent_operand);
        change.after = nginx_operands(*new_one, rule, scope.parent_operand);
      }
      place(change, *new_one, true);
      finish(change, judge_changed(*old_one, *new_one, rule, scope));
    }
    if (!old_one->has_block || !new_one->has_block) return;
    diff_blocks(old_one->block, new_one->block, inside(*old_one, *new_one, rule, scope));
  }

  Scope inside(const NginxNode& old_one, const NginxNode& new_one, const NginxRule& rule,
               const Scope& scope) const {
    Scope inner = scope;
    inner.path = path_in(scope, nginx_label(new_one, rule, scope.in_http));
    inner.parent = new_one.name;
    inner.parent_operand = new_one.args.empty() ? "" : new_one.args.back();
    inner.in_http |= scope.parent.empty() && new_one.name == "http";
    inner.in_upstream |= new_one.name == "upstream";
    inner.hashed = new_one.name == "upstream" && (is_hashed(old_one) || is_hashed(new_one));
    // "location /" answers the check too when nothing else does, but it is there for everything.
    inner.in_health |=
        new_one.name == "location" && is_location_of(new_one, context_.health_path) &&
        (old_facts_.health.contains(&old_one) || new_facts_.health.contains(&new_one));
    return inner;
  }

  void one_sided(const NginxNode* old_one, const NginxNode* new_one, const NginxRule& rule,
                 const Scope& scope) {
    const bool is_new = new_one != nullptr;
    const NginxNode& node = is_new ? *new_one : *old_one;
    if (rule.identity == NginxIdentity::listen && is_socket_change(node, is_new)) return;
    // A whole http {} that appears is the sum of what is in it.
    if (scope.parent.empty() && node.has_block && !node.block.empty() &&
        (node.name == "http" || node.name == "stream" || node.name == "mail")) {
      const std::vector<NginxNode> none;
      return diff_blocks(is_new ? none : node.block, is_new ? node.block : none,
                         inside(node, node, rule, scope));
    }
    Change change;
    change.kind = is_new ? ChangeKind::added : ChangeKind::removed;
    change.path = path_in(scope, nginx_label(node, rule, scope.in_http));
    (is_new ? change.after : change.before) = nginx_operands(node, rule, scope.parent_operand);
    place(change, node, is_new);
    Verdict verdict = judge_by_table(change.kind, rule, scope);
    if (node.name == "location" || node.name == "server")
      judge_health(node, is_new, scope, verdict);
    if (node.has_block && !is_nginx_data_block(node.name)) judge_contents(node, is_new, verdict);
    finish(change, verdict);
  }

  // Told by socket_changes, then.
  [[nodiscard]] bool is_socket_change(const NginxNode& listen, bool is_new) const {
    const std::string key = parse_nginx_listen(listen.args).key();
    const NginxSockets& here = is_new ? new_facts_.sockets : old_facts_.sockets;
    const NginxSockets& there = is_new ? old_facts_.sockets : new_facts_.sockets;
    const auto found = here.find(key);
    return found != here.end() && found->second.node == &listen && !there.contains(key);
  }

  // A block that comes or goes as a whole takes what its riskiest unknown or process-wide part
  // takes.
  static void judge_contents(const NginxNode& block, bool is_new, Verdict& verdict) {
    for (const NginxNode& node : block.block) {
      const NginxRule& rule = nginx_rule(block.name, node.name);
      const ChangeClass its_class = is_new ? rule.added : rule.removed;
      if ((rule.topic == Topic::unknown || its_class > ChangeClass::reload_watch) &&
          its_class > verdict.change_class) {
        verdict.change_class = its_class;
        verdict.reason =
            "it contains " + truncate_utf8(redact(node.name), 60) + ": " + std::string(rule.reason);
      }
      if (node.has_block && !is_nginx_data_block(node.name)) judge_contents(node, is_new, verdict);
    }
  }

  void judge_health(const NginxNode& node, bool is_new, const Scope& scope,
                    Verdict& verdict) const {
    const auto raise = [&verdict](ChangeClass to, std::string reason) {
      if (verdict.change_class >= to) return;
      verdict.change_class = to;
      verdict.reason = std::move(reason);
    };
    if (is_new) {
      if (node.name == "location" && new_facts_.health.contains(&node)) {
        raise(ChangeClass::reload_watch, "it answers the health check from now on");
      }
      return;
    }
    if (context_.health_path.empty() && scope.in_http) {
      return raise(ChangeClass::reload_watch, "the path of the health check is not known");
    }
    if (!old_facts_.health.contains(&node)) return;
    const bool still_there = node.name == "location" &&
                             is_location_of(node, context_.health_path) && health_stays_explicit_;
    if (still_there) {
      return raise(ChangeClass::reload_watch, "the health check is answered by another location");
    }
    raise(ChangeClass::human_only, "it answers the health check " + context_.health_path);
  }

  static Topic topic_of(const NginxRule& rule, const Scope& scope) {
    return scope.in_upstream && rule.topic != Topic::unknown ? Topic::upstream : rule.topic;
  }

  static Verdict judge_by_table(ChangeKind kind, const NginxRule& rule, const Scope& scope) {
    Verdict verdict{rule.changed, topic_of(rule, scope), std::string(rule.reason)};
    if (kind == ChangeKind::added) verdict.change_class = rule.added;
    if (kind == ChangeKind::removed) verdict.change_class = rule.removed;
    if (verdict.reason.empty() && kind == ChangeKind::removed && rule.topic == Topic::upstream &&
        rule.identity == NginxIdentity::peer) {
      verdict.reason = "the others take its share";
    }
    if (scope.in_health && verdict.change_class == ChangeClass::reload) {
      verdict.change_class = ChangeClass::reload_watch;
      verdict.reason = "inside the location that answers the health check";
    }
    return verdict;
  }

  Verdict judge_changed(const NginxNode& before, const NginxNode& after, const NginxRule& rule,
                        const Scope& scope) const {
    if (rule.topic == Topic::zones && rule.identity == NginxIdentity::zone) {
      return judge_zone(before, after, rule);
    }
    Verdict verdict = judge_by_table(ChangeKind::changed, rule, scope);
    if (rule.identity == NginxIdentity::listen) {
      verdict.topic = Topic::listen;
      verdict.reason = "options of a port that is listened on";
    }
    return verdict;
  }

  // Order of the things that are in both, within each sequence of this block.
  void diff_orders(const std::vector<NginxNode>& before, const std::vector<NginxNode>& after,
                   const Scope& scope) {
    using Sequences = std::map<std::string, std::vector<std::string>>;
    const auto sequences = [&scope](const std::vector<NginxNode>& nodes) {
      Sequences found;
      for (const NginxNode& node : nodes) {
        const NginxRule& rule = nginx_rule(scope.parent, node.name);
        std::string sequence(rule.sequence);
        if (node.name == "location" && !node.args.empty() && node.args[0].starts_with("~"))
          sequence = "location (regular expressions)";
        if (scope.hashed && rule.identity == NginxIdentity::peer) sequence = "server";
        if (!sequence.empty()) found[sequence].push_back(nginx_key(node, rule));
      }
      return found;
    };
    const Sequences old_ones = sequences(before), new_ones = sequences(after);
    for (const auto& [name, keys] : new_ones) {
      const auto found = old_ones.find(name);
      if (found == old_ones.end() || !order_differs(found->second, keys)) continue;
      const bool pool = scope.hashed && name == "server";
      add_order_change(path_in(scope, "order of " + name + " rules"),
                       after.empty() ? nullptr : &after[0], "", "",
                       pool ? ChangeClass::reload_watch : ChangeClass::reload,
                       pool ? Topic::upstream : Topic::body);
    }
  }

  // Do the entries that both lists hold stand in another order? Repeated entries count once each
  // time.
  static bool order_differs(const std::vector<std::string>& before,
                            const std::vector<std::string>& after) {
    const auto common = [](const std::vector<std::string>& list,
                           const std::vector<std::string>& other) {
      std::unordered_map<std::string, std::size_t> left;
      for (const std::string& entry : other) ++left[entry];
      std::vector<std::string> out;
      for (const std::string& entry : list) {
        const auto found = left.find(entry);
        if (found == left.end() || found->second == 0) continue;
        --found->second;
        out.push_back(entry);
      }
      return out;
    };
    return common(before, after) != common(after, before);
  }

  void add_order_change(std::string path, const NginxNode* node, std::string before,
                        std::string after, ChangeClass change_class, Topic topic) {
    Change change;
    change.path = std::move(path);
    change.before = redact(truncate_utf8(before, 240));
    change.after = redact(truncate_utf8(after, 240));
    if (node != nullptr) place(change, *node, true);
    finish(change, {change_class, topic, "they act in the order written"});
  }

  // Requests that match no server_name go to the default server of the address.
  void default_server_changes() {
    for (const auto& [address, old_one] : old_facts_.default_servers) {
      const auto found = new_facts_.default_servers.find(address);
      if (found == new_facts_.default_servers.end()) continue;
      const auto same = new_of_.find(old_one);
      if (same != new_of_.end() && same->second == found->second) continue;
      Change change;
      change.path = "http > default server of " + address;
      change.before = redact(server_label(*old_one, true));
      change.after = redact(server_label(*found->second, true));
      place(change, *found->second, true);
      finish(change, {ChangeClass::reload_watch, Topic::body,
                      "requests that match no server_name go elsewhere"});
    }
  }

  void place(Change& change, const NginxNode& node, bool is_new) const {
    change.file = (is_new ? after_ : before_).files[static_cast<std::size_t>(node.file)];
    change.line = node.line;
    change.column = node.column;
  }

  void finish(Change& change, Verdict verdict) {
    change.change_class = verdict.change_class;
    change.topic = verdict.topic;
    change.reason = std::move(verdict.reason);
    changes_.add(std::move(change));
  }

  const NginxTree& before_;
  const NginxTree& after_;
  const Context& context_;
  const NginxFacts old_facts_, new_facts_;
  bool health_stays_explicit_ = false;
  std::unordered_map<const NginxNode*, const NginxNode*> new_of_;  // paired server blocks
  ChangeList changes_;
};

}  // namespace

std::vector<Change> diff_nginx_trees(const NginxTree& before, const NginxTree& after,
                                     const Context& context) {
  return TreeDiff(before, after, context).run();
}

}  // namespace hitless::confdiff
