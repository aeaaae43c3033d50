// The key tables of the fleet file. The checker, the decoder's defaults and the JSON Schema all
// read these tables, so what is documented is what is checked.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/format.hpp"

namespace hitless::fleet {

struct Table;

enum class Form { text, integer, number, boolean, choice, command, list, map, object, one_of };

struct Type {
  Form form = Form::text;
  Format format = Format::text;           // text; map: of its keys
  std::int64_t min = 0, max = 0;          // integer, number; list: of its size
  std::vector<std::string> choices;       // choice
  std::vector<std::string> placeholders;  // text, command: what {…} may stand here
  const Table* table = nullptr;           // object
  std::vector<Type> parts;                // list: item; map: value; one_of: alternatives
};

struct Key {
  std::string name;
  Type type;
  std::string fallback;  // the default as it would be written; empty: none
  std::string about;     // one sentence
  bool required = false;
  std::vector<std::string> only_for;  // values of the table's kind_key; empty: all
  std::vector<std::string> also;      // names that people write when they mean this one
};

struct Table {
  std::string name;  // in the JSON Schema
  std::string about;
  std::vector<Key> keys;
  std::string kind_key;                  // names the key that selects which others are legal
  std::vector<std::string> exactly_one;  // exactly one of these must be there
  std::vector<std::string> at_least_one;
  // Not empty: kind_key names an entry of this map of the root, and the entry's `kind` selects.
  std::string kind_map = {};

  [[nodiscard]] const Key* find(std::string_view key, std::string_view kind = {}) const;
  [[nodiscard]] bool legal_for(const Key& key, std::string_view kind) const;
};

[[nodiscard]] const Table& root_table();
[[nodiscard]] const Table& consul_table();
[[nodiscard]] const Table& aws_table();
[[nodiscard]] const Table& ssh_table();
[[nodiscard]] const Table& host_table();
[[nodiscard]] const Table& load_balancer_table();
[[nodiscard]] const Table& service_table();
[[nodiscard]] const Table& pool_table();
[[nodiscard]] const Table& config_table();
[[nodiscard]] const Table& nginx_table();
// kind: as in the fleet file, "apache", "haproxy", "php-fpm", "gunicorn", "redis" or "systemd".
[[nodiscard]] const Table& daemon_table(std::string_view kind);
[[nodiscard]] const Table& postgresql_table();
[[nodiscard]] const Table& commands_table();
[[nodiscard]] const Table& health_table();
[[nodiscard]] const Table& dependency_table();
[[nodiscard]] const Table& policy_table();
[[nodiscard]] const Table& autonomy_table();
[[nodiscard]] const Table& drain_table();
[[nodiscard]] const Table& verify_table();
[[nodiscard]] const Table& rejoin_table();
[[nodiscard]] const Table& notification_table();
[[nodiscard]] const Table& prober_table();
[[nodiscard]] const Table& prober_path_table();
[[nodiscard]] const Table& prober_mix_table();
[[nodiscard]] const Table& freeze_table();
[[nodiscard]] const Table& window_table();
[[nodiscard]] const Table& gate_table();
[[nodiscard]] const Table& schedule_table();
[[nodiscard]] const Table& alert_table();

}  // namespace hitless::fleet
