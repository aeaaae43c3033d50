// Inventories that are not files: the output of a command, a Consul catalogue, and AWS target
// groups. All are asked anew each time the fleet file is read; their text counts for the fleet's
// digest, so that a plan made with other hosts is stale. What they say is as untrusted as any file.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/names.hpp"
#include "base/text.hpp"
#include "fleet/inventory.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

constexpr std::size_t kMaxShown = 200;

class Asker {
 public:
  Asker(LoadContext& context, const std::function<void(const Inventory&)>& take)
      : context_(context), take_(take), root_(context.root, root_table()) {}

  void run() {
    if (root_.node("inventory_command") != nullptr) command();
    if (root_.node("consul") != nullptr) consul();
    if (root_.node("aws") != nullptr) aws();
  }

 private:
  void refuse(const char* key, const Error& error) {
    auto& d = context_.error("HL0606", root_.span(key),
                             escape_for_terminal(truncate_utf8(error.what, kMaxShown)),
                             error.where.empty() ? "no usable answer" : error.where);
    if (!error.help.empty()) d.help = error.help;
  }

  void command() {
    const std::vector<std::string> argv = root_.words("inventory_command");
    if (argv.empty()) return;  // check_tree has refused it
    const std::string shown = truncate_utf8(join(argv, " "), kMaxShown);
    if (!context_.outside.run) {
      return refuse("inventory_command",
                    Error{ErrorCode::refused, "no command is run from here", shown, {}});
    }
    auto text = context_.outside.run(argv);
    if (!text) return refuse("inventory_command", text.error());
    Inventory inventory;
    const std::size_t before = context_.diagnostics.errors();
    if (!Source::from_text(std::move(*text), "output of " + shown, context_.diagnostics,
                           inventory.source))
      return;
    parse_inventory_yaml(inventory, context_.diagnostics);  // JSON is YAML
    if (context_.diagnostics.errors() == before) take_(inventory);
  }

  void consul() {
    const Reader consul = root_.object("consul", consul_table());
    std::string url = consul.text("url");
    while (url.ends_with('/')) url.pop_back();
    const std::vector<std::string> services = consul.words("services");
    if (url.empty() || services.empty()) return;  // check_tree has refused it
    if (!context_.outside.get) {
      return refuse("consul",
                    Error{ErrorCode::refused, "nothing is asked over HTTP from here", url, {}});
    }
    std::string token;
    if (const Secret secret = consul.secret("token"); !secret.empty()) {
      auto revealed = secret.reveal();
      if (!revealed) return refuse("consul", revealed.error());
      token = std::move(*revealed);
    }
    Inventory inventory;
    std::string all;
    for (const std::string& service : services) {
      const std::string at = url + "/v1/catalog/service/" + service;
      auto body = context_.outside.get(at, token);
      if (!body) return refuse("consul", body.error());
      all += *body + "\n";
      if (Status ok = add(service, *body, inventory); !ok) {
        Error error = ok.error();
        error.where = at;
        return refuse("consul", error);
      }
    }
    // For the digest, and so that messages about a host have a name for where it came from.
    Inventory named = std::move(inventory);
    if (!Source::from_text(std::move(all), url, context_.diagnostics, named.source)) return;
    take_(named);
  }

  void aws() {
    const Reader aws = root_.object("aws", aws_table());
    Inventory inventory;
    std::string all;
    for (const std::string& group : aws.words("target_groups")) {
      const std::string at = truncate_utf8("target group " + group, kMaxShown);
      if (!context_.outside.target_group)
        return refuse("aws", Error{ErrorCode::refused, "AWS is not asked from here", at, {}});
      auto members = context_.outside.target_group(
          {group, aws.text("region"), aws.text("profile"), aws.text("endpoint")});
      Status ok;
      if (!members) {
        ok = tl::unexpected(members.error());
      } else {
        all += group + "\n" + *members;
        ok = add_members(group, *members, inventory);
      }
      if (!ok) {
        Error error = ok.error();
        if (error.where.empty()) error.where = at;
        return refuse("aws", error);
      }
    }
    if (inventory.hosts.empty()) return;  // check_tree has refused it
    Inventory named = std::move(inventory);
    if (!Source::from_text(std::move(all), "AWS target groups", context_.diagnostics, named.source))
      return;
    take_(named);
  }

  // arn:aws:elasticloadbalancing:eu-west-1:123:targetgroup/web/6d0ecf → web
  static std::string group_name(const std::string& group) {
    const std::size_t begin = group.find(":targetgroup/");
    if (begin == std::string::npos) return group;
    const std::string rest = group.substr(begin + 13);
    return rest.substr(0, rest.find('/'));
  }

  static Status add_members(const std::string& group, const std::string& members,
                            Inventory& inventory) {
    const std::string name = group_name(group);
    if (auto ok = check_identifier(name); !ok) return ok;
    for (const std::string& line : split(members, '\n')) {
      if (line.empty()) continue;
      const std::size_t blank = line.find(' ');
      if (blank == std::string::npos) return fail(ErrorCode::internal, "a member without address");
      if (auto ok = add_host(line.substr(0, blank), line.substr(blank + 1), name, inventory); !ok)
        return ok;
    }
    if (inventory.groups[name].hosts.empty())
      return fail(ErrorCode::not_found, "it has no members", {},
                  "an empty group would be taken for a fleet with nothing to do");
    return {};
  }

  static Status add_host(const std::string& host, const std::string& address,
                         const std::string& group, Inventory& inventory) {
    if (inventory.hosts.size() >= Inventory::kMaxHosts)
      return fail(ErrorCode::invalid, fmt::format("more than {} hosts", Inventory::kMaxHosts));
    for (const std::string& name : {host, address}) {
      if (auto ok = check_host_address(name); !ok)
        return fail(ErrorCode::invalid, "not a host's name or address: `" +
                                            escape_for_terminal(truncate_utf8(name, 80)) + "`");
    }
    if (inventory.hosts.emplace(host, Span{}).second) inventory.order.push_back(host);
    inventory.host_vars[host]["ansible_host"] = {address, Span{}};
    inventory.groups[group].hosts.push_back(host);
    return {};
  }

  static Status add(const std::string& service, const std::string& body, Inventory& inventory) {
    boost::system::error_code problem;
    const boost::json::value tree = boost::json::parse(body, problem);
    const auto* list = problem ? nullptr : tree.if_array();
    if (list == nullptr) return fail(ErrorCode::invalid, "the answer is not a list of instances");
    if (list->empty()) {
      return fail(ErrorCode::not_found, "the catalogue has no instance of " + service, {},
                  "an empty group would be taken for a fleet with nothing to do");
    }
    for (const boost::json::value& item : *list) {
      const std::string node = text_of(item, "Node");
      std::string address = text_of(item, "ServiceAddress");
      if (address.empty()) address = text_of(item, "Address");
      if (Status ok = add_host(node, address, service, inventory); !ok) return ok;
    }
    return {};
  }

  static std::string text_of(const boost::json::value& item, const char* key) {
    const auto* object = item.if_object();
    const auto* found = object == nullptr ? nullptr : object->if_contains(key);
    const auto* text = found == nullptr ? nullptr : found->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
  }

  LoadContext& context_;
  const std::function<void(const Inventory&)>& take_;
  Reader root_;
};

}  // namespace

void ask_outside(LoadContext& context, const std::function<void(const Inventory&)>& take) {
  Asker(context, take).run();
}

}  // namespace hitless::fleet
