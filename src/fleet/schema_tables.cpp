// Tables of the file's outer parts: hosts, ssh, notifications.
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

const Key* Table::find(std::string_view key, std::string_view kind) const {
  const Key* of_another_kind = nullptr;
  for (const auto& candidate : keys) {
    if (candidate.name != key) continue;
    if (legal_for(candidate, kind)) return &candidate;
    of_another_kind = &candidate;
  }
  return of_another_kind;
}

bool Table::legal_for(const Key& key, std::string_view kind) const {
  if (key.only_for.empty()) return true;
  for (const auto& candidate : key.only_for)
    if (candidate == kind) return true;
  return false;
}

const Table& root_table() {
  static const Table table{
      "fleet",
      "hitless.yaml: the hosts, load balancers and services of one fleet",
      {needed(key("version", whole(1, 1), "", "Version of this format.")),
       also({"inventories"},
            key("inventory", one_or_list(text(Format::path)), "",
                "Ansible inventories (INI or YAML) whose hosts and groups are taken over.")),
       also({"dynamic_inventory", "inventory_script"},
            key("inventory_command", command(), "",
                "Prints an inventory as `ansible-inventory --list` does; run without a shell each "
                "time the fleet file is read.")),
       key("consul", object(consul_table()), "",
           "Services of a Consul catalogue, each taken over as a group of hosts."),
       key("aws", object(aws_table()), "",
           "Target groups of AWS, each taken over as a group of hosts."),
       key("ssh", object(ssh_table()), "", "How the OpenSSH client is called."),
       key("hosts", map(Format::host_name, object(host_table())), "",
           "Machines by name; what is said here wins over the inventory."),
       also({"lbs", "balancers", "loadbalancers"},
            key("load_balancers", map(Format::name, object(load_balancer_table())), "",
                "Load balancers by name.")),
       needed(key("services", map(Format::name, object(service_table())), "",
                  "What is restarted, reloaded and configured, by name.")),
       also({"notify", "sinks"}, key("notifications", list(object(notification_table()), 0), "",
                                     "Who hears of a rollout's start, success and failure.")),
       also({"probers", "probe"},
            key("prober", one_or_list(object(prober_table())), "",
                "Steady clients that watch from outside while a rollout runs.")),
       also({"freezes", "freeze_windows"},
            key("freeze", list(object(freeze_table())), "",
                "Times in which nothing is begun; people may all the same, with a reason.")),
       also({"schedule"}, key("schedules", list(object(schedule_table())), "",
                              "What calls for a rollout at a certain time (docs/triggers.md).")),
       also({"alert"}, key("alerts", list(object(alert_table())), "",
                           "What alerts of Alertmanager call for (docs/triggers.md)."))},
      "",
      {},
      {}};
  return table;
}

const Table& consul_table() {
  static const Table table{
      "consul",
      "A Consul catalogue, asked each time the fleet file is read",
      {needed(also({"address", "addr"},
                   key("url", text(Format::http_url), "", "Its HTTP API: http://127.0.0.1:8500."))),
       needed(also({"service"}, key("services", one_or_list(text(Format::name)), "",
                                    "Names in the catalogue; each becomes a group."))),
       key("token", text(Format::secret), "", "ACL token, sent as X-Consul-Token.")},
      "",
      {},
      {}};
  return table;
}

const Table& aws_table() {
  static const Table table{
      "aws",
      "Target groups of AWS, asked each time the fleet file is read",
      {needed(also({"target_group"},
                   key("target_groups", one_or_list(text(Format::text)), "",
                       "Names or ARNs; each becomes a group, under the target group's name."))),
       key("region", text(Format::name), "", "Default: as the environment and ~/.aws say."),
       key("profile", text(Format::name), "", "Of ~/.aws; default: as the environment says."),
       key("endpoint", text(Format::http_url), "", "Another endpoint than AWS's own.")},
      "",
      {},
      {}};
  return table;
}

const Table& ssh_table() {
  static const Table table{
      "ssh",
      "How the OpenSSH client is called. Your own ssh_config is honoured as always.",
      {key("config", text(Format::path), "", "Given to ssh as -F."),
       also({"known_hosts_file", "user_known_hosts_file"},
            key("known_hosts", text(Format::path), "",
                "File of host keys; unknown keys are refused.")),
       key("user", text(Format::user), "", "Login on hosts that name none."),
       also({"identity_file", "key", "private_key"},
            key("identity", text(Format::path), "", "Private key for hosts that name none.")),
       also({"timeout"}, key("connect_timeout", duration(), "5s", "For one connection attempt.")),
       also({"control_persist", "persist"}, key("keep", duration(), "0s",
                                                "A connection stays for so long after hitless has "
                                                "ended, and its next run begins on it "
                                                "instead of with a login; at most 1h."))},
      "",
      {},
      {}};
  return table;
}

const Table& host_table() {
  static const Table table{
      "host",
      "One machine",
      {key("address", text(Format::address), "",
           "Where its services are reached; default: HostName of the named ssh_config, else its "
           "name; "
           "127.0.0.1 for connect: local."),
       key("ssh", text(Format::address), "", "Name given to ssh; default: the host's name here."),
       key("user", text(Format::user), "", "Login; default: as ssh decides."),
       key("port", port(), "", "SSH port; default: as ssh decides."),
       also({"identity_file", "key"},
            key("identity", text(Format::path), "", "Private key for this host.")),
       key("connect", choice({"ssh", "local"}), "ssh", "local: this very machine, without ssh."),
       also({"become"}, key("sudo", boolean(), "false", "Mutations go through `sudo -n`.")),
       also({"az", "availability_zone", "rack"},
            key("zone", text(Format::name), "",
                "Failure domain; zones are not mixed in one window."))},
      "",
      {},
      {}};
  return table;
}

const Table& notification_table() {
  const std::vector<std::string> slack{"slack"}, smtp{"smtp"}, pagerduty{"pagerduty"};
  static const Table table{
      "notification",
      "One receiver of messages",
      {key("name", text(Format::name), "", "Shown in logs; default: its kind."),
       needed(
           key("kind", choice({"webhook", "slack", "smtp", "pagerduty"}), "", "How it is sent.")),
       key("required", boolean(), "false",
           "A rollout does not start when this one cannot be reached."),
       also({"events"}, key("on", list(choice({"started", "succeeded", "failed"})),
                            "[started, succeeded, failed]", "Which events are sent.")),
       needed(only({"webhook"}, key("url", text(Format::secret_url), "", "Where to POST."))),
       only({"webhook"},
            key("secret", text(Format::secret), "", "Key of the HMAC-SHA256 signature.")),
       only(slack, key("webhook", text(Format::secret_url), "", "Incoming webhook.")),
       only(slack,
            key("token", text(Format::secret), "", "Bot token; needed to upload the audit log.")),
       only(slack,
            key("channel", text(Format::name), "", "Channel id for the token, such as C0123.")),
       only(slack, key("api_url", text(Format::http_url), "https://slack.com/api", "Slack's API.")),
       needed(only(smtp, also({"server", "host"}, key("url", text(Format::smtp_url), "",
                                                      "smtp://host:port or smtps://host:port.")))),
       needed(only(smtp, key("from", text(Format::email), "", "Sender."))),
       needed(only(smtp, key("to", list(text(Format::email), 1, 50), "", "Receivers."))),
       only(smtp, key("username", text(Format::text), "", "Login at the mail server.")),
       only(smtp, key("password", text(Format::secret), "", "Password of that login.")),
       only(smtp, key("tls", choice({"starttls", "none"}), "starttls",
                      "starttls: refuse a server without it.")),
       needed(only(pagerduty,
                   also({"integration_key", "key"}, key("routing_key", text(Format::secret), "",
                                                        "Events API v2 integration key.")))),
       only(pagerduty, key("url", text(Format::http_url), "https://events.pagerduty.com",
                           "The service; other regions and tests.")),
       only(pagerduty,
            key("change_url", text(Format::http_url), "", "Instead of url + /v2/change/enqueue.")),
       only(pagerduty,
            key("alert_url", text(Format::http_url), "", "Instead of url + /v2/enqueue."))},
      "kind",
      {},
      {}};
  return table;
}

}  // namespace hitless::fleet
