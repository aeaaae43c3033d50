// What the steps of one load share. Only for the .cpp files of this folder.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/fleet.hpp"
#include "fleet/haproxy_cfg.hpp"
#include "fleet/schema.hpp"
#include "fleet/source.hpp"
#include "fleet/yaml_tree.hpp"

namespace hitless::fleet {

// "~/x" as a shell would read it; anything else as it is.
[[nodiscard]] std::string expand_home(const std::string& path);

struct LoadContext {
  const Source& source;
  const Node& root;
  Diagnostics& diagnostics;
  Fleet& fleet;
  std::string folder;  // of the fleet file, with its '/'; empty: the current one
  const Outside& outside;
  // Services with undefined hosts: how many, so that they still count; -1 when nobody can tell.
  std::map<std::string, std::int64_t> undefined_hosts = {};
  bool lenient = false;  // files to install may be missing (load_leniently.hpp)

  // Where a path of keys and list numbers leads, or its nearest ancestor that exists.
  using Path = std::vector<std::string>;
  [[nodiscard]] Span place(const Path& path) const;
  [[nodiscard]] Mark mark(Span span) const { return {source.name(), span.line, span.column}; }
  Diagnostic& error(const char* code, Span at, std::string message, std::string label = {}) const;
  Diagnostic& warning(const char* code, Span at, std::string message, std::string label = {}) const;
  // As the file means it, with hosts that are misspelled; empty when a group is unknown.
  [[nodiscard]] std::optional<std::int64_t> instances_of(const Service& service) const;
  // Relative paths are meant from the fleet file's folder.
  [[nodiscard]] std::string path_from_here(const std::string& path) const;
};

// Reads one object with its table's defaults. What check_tree() refused reads as the default.
class Reader {
 public:
  // kind: for tables whose kind stands elsewhere (Table::kind_map).
  Reader(const Node& object, const Table& table, std::string kind = {});

  [[nodiscard]] const Node* node(std::string_view key) const;  // none for a null value
  [[nodiscard]] Span span(std::string_view key) const;         // of the value, else of the object
  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view key) const;
  [[nodiscard]] std::int64_t whole(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> optional_whole(std::string_view key) const;
  [[nodiscard]] double number(std::string_view key) const;  // "1%" is 0.01
  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] DurationMs duration(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> words(
      std::string_view key) const;  // list, or one as a list
  [[nodiscard]] Secret secret(std::string_view key) const;
  // The object below a key; an empty one when it is missing.
  [[nodiscard]] Reader object(std::string_view key, const Table& table) const;
  [[nodiscard]] const std::string& kind() const { return kind_; }

 private:
  [[nodiscard]] std::string fallback(std::string_view key) const;
  const Node& object_;
  const Table& table_;
  std::string kind_;
};

// The steps, in order (load.cpp).
void load_hosts(LoadContext& context);                              // hosts.cpp
void decode_load_balancers(LoadContext& context);                   // lb_kinds.cpp
PoolRef decode_pool(const LoadContext& context, const Node& node);  // lb_kinds.cpp
// inventory_outside.cpp; `take` is for each inventory that was read.
struct Inventory;
void ask_outside(LoadContext& context, const std::function<void(const Inventory&)>& take);
void decode_services(LoadContext& context);                                    // decode_service.cpp
void decode_policy(LoadContext& context, Service& service, const Node& node);  // decode_policy.cpp
void decode_notifications(LoadContext& context);                               // decode.cpp
void decode_probers(LoadContext& context);                                     // decode_prober.cpp
void decode_calendar(LoadContext& context);  // decode_calendar.cpp
void decode_gates(const LoadContext& context, const Reader& policy, Policy& made);
void decode_windows(const LoadContext& context, const Reader& policy, Policy& made);
void validate_references(const LoadContext& context);      // validate_references.cpp
void validate_policies(const LoadContext& context);        // validate_policy.cpp
void validate_load_balancers(const LoadContext& context);  // lb_kinds.cpp

}  // namespace hitless::fleet
