#include "fleet/check_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "fleet/schema.hpp"
#include "fleet/secret.hpp"

namespace hitless::fleet {
namespace {

std::string shown(std::string_view text) {
  return escape_for_terminal(truncate_utf8(text, 60));
}

const char* word_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map of keys";
    case Node::Kind::scalar:
      break;
  }
  if (node.quoted) return "text";
  switch (kind_of_plain(node.text)) {
    case PlainKind::boolean:
      return "a boolean";
    case PlainKind::integer:
    case PlainKind::number:
      return "a number";
    case PlainKind::text:
      break;
  }
  return "text";
}

// "`x` is not a name: it is empty" → "it is empty"; the rest is in the message already.
std::string reason_of(const Error& error) {
  const std::size_t head = error.what.find("` is not ");
  const std::size_t colon = head == std::string::npos ? head : error.what.find(": ", head);
  return colon == std::string::npos ? error.what : error.what.substr(colon + 2);
}

std::string wanted_by(const Type& type) {
  switch (type.form) {
    case Form::text:
      return info_of(type.format).wanted;
    case Form::integer:
      return fmt::format("a whole number from {} to {}", type.min, type.max);
    case Form::number:
      return fmt::format("a number from {} to {}", type.min, type.max);
    case Form::boolean:
      return "true or false";
    case Form::choice:
      return (type.choices.size() > 1 ? "one of " : "") + join(type.choices, ", ");
    case Form::command:
      return "a list of words";
    case Form::list:
      return "a list";
    case Form::map:
    case Form::object:
      return "a map of keys";
    case Form::one_of:
      break;
  }
  std::vector<std::string> words;
  for (const auto& part : type.parts) words.push_back(wanted_by(part));
  return join(words, ", or ");
}

// The table of the entries of one of the root's maps.
const Table* table_of_map(const std::string& key) {
  return root_table().find(key)->type.parts.front().table;
}

// Empty when it is missing or wrong: then all keys are taken, so that one slip is one message.
std::string known_kind_in(const Node& object, const Table& table, const Node& root) {
  if (!table.kind_map.empty()) {
    const Node* name = object.find(table.kind_key);
    const Node* all = root.find(table.kind_map);
    const bool usable = name != nullptr && name->kind == Node::Kind::scalar && all != nullptr &&
                        all->kind == Node::Kind::map;
    const Node* entry = usable ? all->find(name->text) : nullptr;
    return entry != nullptr && entry->kind == Node::Kind::map
               ? known_kind_in(*entry, *table_of_map(table.kind_map), root)
               : std::string();
  }
  const Node* kind = table.kind_key.empty() ? nullptr : object.find(table.kind_key);
  if (kind == nullptr || kind->kind != Node::Kind::scalar) return {};
  const auto& known = table.find(table.kind_key)->type.choices;
  return std::find(known.begin(), known.end(), kind->text) != known.end() ? kind->text
                                                                          : std::string();
}

// Without a kind nobody knows which of them is meant, so its value is not judged.
bool differs_by_kind(const Table& table, std::string_view key) {
  return std::ranges::count(table.keys, key, &Key::name) > 1;
}

class TreeChecker {
 public:
  TreeChecker(const Source& source, const Node& root, Diagnostics& diagnostics)
      : source_(source), root_(root), diagnostics_(diagnostics) {}

  void object(const Node& node, const Table& table, std::string_view name) {
    const std::string kind = known_kind_in(node, table, root_);
    repeated_keys(node);
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const Node& key = node.keys[i];
      if (key.kind != Node::Kind::scalar) {
        report("HL0105", key.span, "a key must be text", word_of(key));
        continue;
      }
      const Key* known = table.find(key.text, kind);
      if (known == nullptr)
        unknown_key(key, table, kind);
      else if (!kind.empty() && !table.legal_for(*known, kind))
        illegal_for_kind(key, table, kind);
      else if (!kind.empty() || !differs_by_kind(table, key.text))
        value(node.items[i], known->type, key.text);
    }
    missing_keys(node, table, kind, name);
    alternatives(node, table, name);
  }

 private:
  Diagnostic& report(const char* code, Span span, std::string message, std::string label = {}) {
    return diagnostics_.add(source_.error(code, span, std::move(message), std::move(label)));
  }

  void value(const Node& node, const Type& type, std::string_view key) {
    switch (type.form) {
      case Form::one_of:
        return one_of(node, type, key);
      case Form::object:
        if (node.kind == Node::Kind::map) return object(node, *type.table, key);
        if (node.kind == Node::Kind::null) return object(node, *type.table, key);
        return wrong_type(node, type, key);
      case Form::map:
        return map(node, type, key);
      case Form::list:
        return list(node, type, key);
      case Form::command:
        return command(node, type, key);
      default:
        break;
    }
    if (node.kind == Node::Kind::null) {
      report("HL0116", node.span, fmt::format("`{}` has no value", shown(key)),
             "expected " + wanted_by(type));
      return;
    }
    if (node.kind != Node::Kind::scalar) return wrong_type(node, type, key);
    scalar(node, type, key);
  }

  void scalar(const Node& node, const Type& type, std::string_view key) {
    switch (type.form) {
      case Form::text:
        return text(node, type, key);
      case Form::integer:
        return integer(node, type, key);
      case Form::number:
        return number(node, type, key);
      case Form::boolean:
        return boolean(node, type, key);
      case Form::choice:
        return choice(node, type, key);
      default:
        return;
    }
  }

  void wrong_type(const Node& node, const Type& type, std::string_view key) {
    report("HL0105", node.span,
           fmt::format("`{}` wants {}, not {}", shown(key), wanted_by(type), word_of(node)),
           fmt::format("this is {}", word_of(node)));
  }

  void text(const Node& node, const Type& type, std::string_view key) {
    const FormatInfo& format = info_of(type.format);
    const PlainKind plain = node.quoted ? PlainKind::text : kind_of_plain(node.text);
    if (type.format == Format::duration && plain != PlainKind::text &&
        plain != PlainKind::boolean) {
      report("HL0109", node.span, fmt::format("`{}` is a duration and needs a unit", shown(key)),
             fmt::format("write {0}s or {0}ms", shown(node.text)));
      return;
    }
    if (plain != PlainKind::text) return needs_quotes(node, plain, key);
    if (!placeholders(node, type, false)) return;
    const std::string sample =
        type.placeholders.empty() ? node.text : with_sample_values(node.text);
    if (auto ok = format.check(sample); !ok) {
      auto& d =
          report(format.code, node.span, fmt::format("`{}` wants {}", shown(key), format.wanted),
                 reason_of(ok.error()));
      d.help = ok.error().help;
      return;
    }
    if (type.format != Format::secret) return;
    if (auto secret = Secret::parse(node.text); secret && secret->is_literal())
      literal_secret(node, key);
  }

  void needs_quotes(const Node& node, PlainKind plain, std::string_view key) {
    const char* what = plain == PlainKind::boolean ? "a boolean" : "a number";
    auto& d = report("HL0106", node.span,
                     fmt::format("`{}` wants text, but YAML reads `{}` as {}", shown(key),
                                 shown(node.text), what),
                     fmt::format("write \"{}\"", shown(node.text)));
    if (plain == PlainKind::integer && node.text.size() > 1 && node.text[0] == '0')
      d.notes.emplace_back("a leading zero makes it an octal number: 0644 becomes 420");
  }

  void literal_secret(const Node& node, std::string_view key) {
    Diagnostic d = source_.warning("HL0501", node.span,
                                   fmt::format("`{}` is written out in the file", shown(key)),
                                   "a literal secret");
    d.notes.emplace_back("whoever can read this file, its history or its backups has the secret");
    d.help = "use ${env:NAME}, ${file:/path} or ${cred:NAME}";
    diagnostics_.add(std::move(d));
  }

  // In commands braces are common (awk, sh), so there only what looks like a slip is refused.
  bool placeholders(const Node& node, const Type& type, bool lenient) {
    if (type.placeholders.empty()) return true;
    bool fine = true;
    for (const auto& used : placeholders_in(node.text)) {
      if (std::find(type.placeholders.begin(), type.placeholders.end(), used.name) !=
          type.placeholders.end())
        continue;
      const std::string meant = nearest(used.name, type.placeholders);
      if (lenient && meant.empty()) continue;
      auto& d =
          report("HL0113", node.span, fmt::format("unknown placeholder `{{{}}}`", shown(used.name)),
                 meant.empty() ? "" : fmt::format("did you mean `{{{}}}`?", meant));
      d.notes.push_back("known here: {" + join(type.placeholders, "} {") + "}");
      fine = false;
    }
    return fine;
  }

  void integer(const Node& node, const Type& type, std::string_view key) {
    auto parsed = parse_integer(node.text);
    if (node.quoted && parsed) {
      report("HL0105", node.span, fmt::format("`{}` wants a number, not text", shown(key)),
             "drop the quotes");
      return;
    }
    if (!parsed) {
      const bool numeric = !node.quoted && kind_of_plain(node.text) != PlainKind::text &&
                           kind_of_plain(node.text) != PlainKind::boolean;
      if (!numeric) return wrong_type(node, type, key);
      report("HL0105", node.span, fmt::format("`{}` wants {}", shown(key), wanted_by(type)),
             parsed.error().what);
      return;
    }
    if (*parsed < type.min || *parsed > type.max)
      report("HL0108", node.span, fmt::format("`{}` wants {}", shown(key), wanted_by(type)),
             fmt::format("{} is out of range", *parsed));
  }

  void number(const Node& node, const Type& type, std::string_view key) {
    auto parsed = parse_number(node.text);
    if (node.quoted || !parsed) return wrong_type(node, type, key);
    if (*parsed < static_cast<double>(type.min) || *parsed > static_cast<double>(type.max))
      report("HL0108", node.span, fmt::format("`{}` wants {}", shown(key), wanted_by(type)),
             "out of range");
  }

  void boolean(const Node& node, const Type& type, std::string_view key) {
    if (!node.quoted && (node.text == "true" || node.text == "false")) return;
    const bool letter =
        node.text == "y" || node.text == "n" || node.text == "Y" || node.text == "N";
    if (!node.quoted && (letter || kind_of_plain(node.text) == PlainKind::boolean)) {
      const char c = node.text[0];
      const bool is_true = c == 'y' || c == 'Y' || c == 't' || c == 'T' || node.text == "on" ||
                           node.text == "On" || node.text == "ON";
      report("HL0105", node.span, fmt::format("`{}` wants true or false", shown(key)),
             fmt::format("write {}", is_true ? "true" : "false"));
      return;
    }
    wrong_type(node, type, key);
  }

  void choice(const Node& node, const Type& type, std::string_view key) {
    for (const auto& word : type.choices)
      if (node.text == word) return;
    const std::string meant = nearest(node.text, type.choices);
    auto& d = report(
        "HL0107", node.span, fmt::format("`{}` cannot be `{}`", shown(key), shown(node.text)),
        meant.empty() ? "expected " + wanted_by(type) : fmt::format("did you mean `{}`?", meant));
    d.notes.push_back("possible: " + join(type.choices, ", "));
  }

  void list(const Node& node, const Type& type, std::string_view key) {
    if (node.kind == Node::Kind::null) {
      report("HL0116", node.span, fmt::format("`{}` has no value", shown(key)), "expected a list");
      return;
    }
    if (node.kind != Node::Kind::list) return wrong_type(node, type, key);
    const auto size = static_cast<std::int64_t>(node.items.size());
    if (size < type.min || size > type.max)
      report("HL0108", node.span,
             fmt::format("`{}` wants {} to {} entries", shown(key), type.min, type.max),
             fmt::format("{} here", size));
    for (const auto& item : node.items) value(item, type.parts.front(), key);
  }

  void command(const Node& node, const Type& type, std::string_view key) {
    if (node.kind == Node::Kind::scalar) {
      std::vector<std::string> words;
      for (const auto& word : split(node.text, ' '))
        if (!word.empty()) words.push_back(shown(word));
      auto& d = report("HL0110", node.span,
                       fmt::format("`{}` wants a list of words, not one string", shown(key)),
                       "write a list");
      const bool needs_shell = node.text.find_first_of("|&;<>$`*?\"'\\") != std::string::npos;
      d.help = needs_shell ? fmt::format("{}: [sh, -c, '…'] if you need a shell", shown(key))
                           : fmt::format("{}: [{}]", shown(key), join(words, ", "));
      d.notes.emplace_back("no shell reads it, so nothing is split, expanded or injected");
      return;
    }
    if (node.kind != Node::Kind::list || node.items.empty()) {
      if (node.kind == Node::Kind::list)
        report("HL0110", node.span, fmt::format("`{}` is an empty list", shown(key)), "no program");
      else
        wrong_type(node, type, key);
      return;
    }
    for (const auto& item : node.items) word(item, type, key);
    const Node& program = node.items.front();
    if (program.kind == Node::Kind::scalar && (program.text.empty() || program.text.front() == '-'))
      report("HL0110", program.span, "the first word is the program", "not a program");
  }

  // Any scalar is a word: 80 and 0644 reach the program as they are written.
  void word(const Node& node, const Type& type, std::string_view key) {
    if (node.kind != Node::Kind::scalar) {
      report("HL0110", node.span,
             fmt::format("`{}` wants words, not {}", shown(key), word_of(node)));
      return;
    }
    if (auto ok = info_of(Format::argument).check(node.text); !ok)
      report("HL0110", node.span, fmt::format("`{}` has a bad word", shown(key)), ok.error().what);
    placeholders(node, type, true);
  }

  void map(const Node& node, const Type& type, std::string_view key) {
    if (node.kind == Node::Kind::null) {
      report("HL0116", node.span, fmt::format("`{}` has no value", shown(key)),
             "expected names below it");
      return;
    }
    if (node.kind != Node::Kind::map) return wrong_type(node, type, key);
    if (node.keys.empty() && key != "hosts" && key != "load_balancers")
      report("HL0116", node.span, fmt::format("`{}` is empty", shown(key)), "nothing below it");
    repeated_keys(node);
    Type name_type;
    name_type.format = type.format;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const Node& name = node.keys[i];
      if (name.kind != Node::Kind::scalar)
        report("HL0105", name.span, "a name must be text", word_of(name));
      else
        text(name, name_type, key);
      value(node.items[i], type.parts.front(), name.text);
    }
  }

  // Reports as the alternative that comes nearest in shape, so that the message is about one thing.
  void one_of(const Node& node, const Type& type, std::string_view key) {
    if (node.kind == Node::Kind::null) {
      report("HL0116", node.span, fmt::format("`{}` has no value", shown(key)),
             "expected " + wanted_by(type));
      return;
    }
    const Type* fit = nullptr;
    for (const auto& part : type.parts) {
      if (fits(node, part)) return value(node, part, key);
      if (fit == nullptr && near_fit(node, part)) fit = &part;
    }
    if (fit != nullptr) return value(node, *fit, key);
    wrong_type(node, type, key);
  }

  static bool fits(const Node& node, const Type& type) {
    if (type.form == Form::list) return node.kind == Node::Kind::list;
    if (type.form == Form::object) return node.kind == Node::Kind::map;
    if (node.kind != Node::Kind::scalar) return false;
    const PlainKind plain = node.quoted ? PlainKind::text : kind_of_plain(node.text);
    if (type.form == Form::integer) return plain == PlainKind::integer;
    if (type.form == Form::number) return plain == PlainKind::integer || plain == PlainKind::number;
    if (type.form == Form::choice)
      return std::find(type.choices.begin(), type.choices.end(), node.text) != type.choices.end();
    return type.form == Form::text && plain == PlainKind::text;
  }
  static bool near_fit(const Node& node, const Type& type) {
    return node.kind == Node::Kind::scalar && type.form == Form::text;
  }

  void repeated_keys(const Node& node) {
    std::map<std::string, const Node*> first;
    for (const auto& key : node.keys) {
      if (key.kind != Node::Kind::scalar) continue;
      const auto [entry, is_new] = first.emplace(key.text, &key);
      if (is_new) continue;
      auto& d = report("HL0103", key.span, fmt::format("key `{}` is there twice", shown(key.text)),
                       fmt::format("first on line {}", entry->second->span.line));
      d.notes.emplace_back("YAML readers disagree on which of the two counts");
    }
  }

  void unknown_key(const Node& key, const Table& table, const std::string& kind) {
    if (key.text == "<<") {
      report("HL0008", key.span, "YAML merge keys (`<<`) are not allowed", "write the keys out");
      return;
    }
    std::vector<std::string> names;
    std::map<std::string, const Key*> by_name;
    for (const auto& known : table.keys) {
      if (!kind.empty() && !table.legal_for(known, kind)) continue;
      names.push_back(known.name);
      by_name.emplace(known.name, &known);
      for (const auto& other : known.also)
        if (by_name.emplace(other, &known).second) names.push_back(other);
    }
    const std::string found = nearest(key.text, names);
    const Key* meant = found.empty() ? nullptr : by_name.at(found);
    auto& d = report("HL0104", key.span, fmt::format("unknown key `{}`", shown(key.text)),
                     meant != nullptr ? fmt::format("did you mean `{}`?", meant->name) : "");
    if (meant != nullptr && !meant->fallback.empty())
      d.notes.push_back(
          fmt::format("an ignored typo would leave you on the default, {}", meant->fallback));
    if (meant == nullptr) {
      std::set<std::string> legal;
      for (const auto& [name, known] : by_name) legal.insert(known->name);
      d.notes.push_back("known here: " + join({legal.begin(), legal.end()}, ", "));
    }
  }

  // Another kind has a key of that name; this kind may have one that people call so.
  void illegal_for_kind(const Node& key, const Table& table, const std::string& kind) {
    std::vector<std::string> kinds;
    for (const auto& known : table.keys) {
      const bool means_it =
          std::find(known.also.begin(), known.also.end(), key.text) != known.also.end();
      if (means_it && table.legal_for(known, kind)) return unknown_key(key, table, kind);
      if (known.name == key.text)
        kinds.insert(kinds.end(), known.only_for.begin(), known.only_for.end());
    }
    report("HL0114", key.span, fmt::format("`{}` is not for kind {}", shown(key.text), shown(kind)),
           fmt::format("only for {}", join(kinds, ", ")));
  }

  void missing_keys(const Node& node, const Table& table, const std::string& kind,
                    std::string_view name) {
    for (const auto& key : table.keys) {
      if (!key.required || node.find(key.name) != nullptr) continue;
      if (!key.only_for.empty() && !table.legal_for(key, kind)) continue;
      auto& d =
          report("HL0102", node.span, fmt::format("`{}` lacks the key `{}`", shown(name), key.name),
                 fmt::format("add {}: …", key.name));
      d.notes.push_back(fmt::format("{}: {}", key.name, key.about));
    }
  }

  void alternatives(const Node& node, const Table& table, std::string_view name) {
    if (table.exactly_one.empty()) return;
    std::vector<const Node*> present;
    for (const auto& option : table.exactly_one)
      if (const Node* key = node.find_key(option)) present.push_back(key);
    const std::string options = join(table.exactly_one, ", ");
    if (present.empty())
      report("HL0115", node.span, fmt::format("`{}` wants one of {}", shown(name), options),
             "none is here");
    for (std::size_t i = 1; i < present.size(); ++i)
      report("HL0115", present[i]->span,
             fmt::format("`{}` wants only one of {}", shown(name), options),
             fmt::format("`{}` is there already", present[0]->text));
  }

  const Source& source_;
  const Node& root_;
  Diagnostics& diagnostics_;
};

}  // namespace

void check_tree(const Node& root, const Source& source, Diagnostics& diagnostics) {
  if (root.kind != Node::Kind::map) {
    diagnostics.add(source.error(
        "HL0105", root.span, fmt::format("a fleet file is a map of keys, not {}", word_of(root)),
        "expected `version: 1` and so on"));
    return;
  }
  const Node* version = root.find("version");
  if (version != nullptr && version->kind == Node::Kind::scalar && version->text != "1") {
    Diagnostic d =
        source.error("HL0101", version->span,
                     fmt::format("version {} of the format is not known", shown(version->text)),
                     "this hitless reads version 1");
    diagnostics.add(std::move(d));
    return;
  }
  TreeChecker(source, root, diagnostics).object(root, root_table(), source.name());
}

}  // namespace hitless::fleet
