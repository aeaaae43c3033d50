#include "fleet/load_context.hpp"

#include <cstdlib>
#include <stdexcept>

#include "fleet/format.hpp"

namespace hitless::fleet {
namespace {

const Node& empty_node() {
  static const Node node;
  return node;
}

}  // namespace

Span LoadContext::place(const Path& path) const {
  const Node* at = &root;
  Span span{1, 1, 1};
  for (const auto& step : path) {
    const Node* next = nullptr;
    if (at->kind == Node::Kind::map) next = at->find(step);
    if (at->kind == Node::Kind::list) {
      auto index = parse_integer(step);
      if (index && *index >= 0 && static_cast<std::size_t>(*index) < at->items.size())
        next = &at->items[static_cast<std::size_t>(*index)];
    }
    if (next == nullptr) break;
    span = next->span;
    at = next;
  }
  return span;
}

Diagnostic& LoadContext::error(const char* code, Span at, std::string message,
                               std::string label) const {
  return diagnostics.add(source.error(code, at, std::move(message), std::move(label)));
}

Diagnostic& LoadContext::warning(const char* code, Span at, std::string message,
                                 std::string label) const {
  return diagnostics.add(source.warning(code, at, std::move(message), std::move(label)));
}

std::optional<std::int64_t> LoadContext::instances_of(const Service& service) const {
  const auto found = undefined_hosts.find(service.name);
  const std::int64_t more = found == undefined_hosts.end() ? 0 : found->second;
  if (more < 0) return std::nullopt;
  return static_cast<std::int64_t>(service.hosts.size()) + more;
}

std::string expand_home(const std::string& path) {
  const char* home = path.compare(0, 2, "~/") == 0 ? std::getenv("HOME") : nullptr;
  return home == nullptr || home[0] != '/' ? path : home + path.substr(1);
}

std::string LoadContext::path_from_here(const std::string& given) const {
  const std::string path = expand_home(given);
  if (path.empty() || path.front() == '/') return path;
  return folder + (path.compare(0, 2, "./") == 0 ? path.substr(2) : path);
}

Reader::Reader(const Node& object, const Table& table, std::string kind)
    : object_(object), table_(table), kind_(std::move(kind)) {
  if (!table.kind_map.empty()) return;
  const Node* written = table.kind_key.empty() ? nullptr : object.find(table.kind_key);
  if (written != nullptr) kind_ = written->text;
}

const Node* Reader::node(std::string_view key) const {
  const Node* found = object_.find(key);
  return found != nullptr && found->kind != Node::Kind::null ? found : nullptr;
}

Span Reader::span(std::string_view key) const {
  const Node* found = object_.find(key);
  return found != nullptr ? found->span : object_.span;
}

std::string Reader::fallback(std::string_view key) const {
  const Key* known = table_.find(key, kind_);
  if (known == nullptr) throw std::logic_error(table_.name + " has no key " + std::string(key));
  return known->fallback;
}

std::optional<std::string> Reader::optional_text(std::string_view key) const {
  const std::string otherwise = fallback(key);
  const Node* found = node(key);
  if (found != nullptr && found->kind == Node::Kind::scalar) return found->text;
  return otherwise.empty() ? std::nullopt : std::optional(otherwise);
}

std::string Reader::text(std::string_view key) const {
  return optional_text(key).value_or("");
}

std::optional<std::int64_t> Reader::optional_whole(std::string_view key) const {
  const auto written = optional_text(key);
  if (!written) return std::nullopt;
  if (auto parsed = parse_integer(*written)) return *parsed;
  auto otherwise = parse_integer(fallback(key));
  return otherwise ? std::optional(*otherwise) : std::nullopt;
}

std::int64_t Reader::whole(std::string_view key) const {
  return optional_whole(key).value_or(0);
}

double Reader::number(std::string_view key) const {
  for (const auto& written : {text(key), fallback(key)}) {
    if (auto percent = parse_percent(written)) return *percent / 100.0;
    if (auto parsed = parse_number(written)) return *parsed;
  }
  return 0;
}

bool Reader::flag(std::string_view key) const {
  const std::string written = text(key);
  return (written == "true" || written == "false" ? written : fallback(key)) == "true";
}

DurationMs Reader::duration(std::string_view key) const {
  for (const auto& written : {text(key), fallback(key)})
    if (auto parsed = parse_duration(written)) return *parsed;
  return 0;
}

std::vector<std::string> Reader::words(std::string_view key) const {
  (void)fallback(key);
  std::vector<std::string> list;
  const Node* found = node(key);
  if (found == nullptr) return list;
  if (found->kind == Node::Kind::scalar) list.push_back(found->text);
  if (found->kind == Node::Kind::list)
    for (const auto& item : found->items)
      if (item.kind == Node::Kind::scalar) list.push_back(item.text);
  return list;
}

Secret Reader::secret(std::string_view key) const {
  const auto written = optional_text(key);
  if (!written) return {};
  auto parsed = Secret::parse(*written);
  return parsed ? *parsed : Secret{};
}

Reader Reader::object(std::string_view key, const Table& table) const {
  const Node* found = node(key);
  return Reader(found != nullptr && found->kind == Node::Kind::map ? *found : empty_node(), table);
}

}  // namespace hitless::fleet
