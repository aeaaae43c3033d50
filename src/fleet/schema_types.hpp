// Short makers of Types, for the tables only.
#pragma once
#include <utility>

#include "fleet/schema.hpp"

namespace hitless::fleet::types {

inline Type text(Format format, std::vector<std::string> placeholders = {}) {
  Type type;
  type.format = format;
  type.placeholders = std::move(placeholders);
  return type;
}
inline Type duration() {
  return text(Format::duration);
}
inline Type of(Form form) {
  Type type;
  type.form = form;
  return type;
}
inline Type boolean() {
  return of(Form::boolean);
}
inline Type whole(std::int64_t min, std::int64_t max) {
  Type type = of(Form::integer);
  type.min = min;
  type.max = max;
  return type;
}
inline Type number(std::int64_t min, std::int64_t max) {
  Type type = whole(min, max);
  type.form = Form::number;
  return type;
}
inline Type port() {
  return whole(1, 65535);
}
inline Type choice(std::vector<std::string> choices) {
  Type type = of(Form::choice);
  type.choices = std::move(choices);
  return type;
}
inline Type command() {
  Type type = of(Form::command);
  type.format = Format::argument;
  type.placeholders = {"host", "port", "config", "dir", "service", "address"};
  return type;
}
inline Type object(const Table& table) {
  Type type = of(Form::object);
  type.table = &table;
  return type;
}
inline Type list(Type item, std::int64_t min = 1, std::int64_t max = 1000) {
  Type type = of(Form::list);
  type.min = min;
  type.max = max;
  type.parts.push_back(std::move(item));
  return type;
}
inline Type map(Format keys, Type value) {
  Type type = of(Form::map);
  type.format = keys;
  type.parts.push_back(std::move(value));
  return type;
}
inline Type one_of(std::vector<Type> alternatives) {
  Type type = of(Form::one_of);
  type.parts = std::move(alternatives);
  return type;
}
inline Type one_or_list(const Type& item) {
  return one_of({item, list(item)});
}

inline Key key(std::string name, Type type, std::string fallback, std::string about) {
  Key made;
  made.name = std::move(name);
  made.type = std::move(type);
  made.fallback = std::move(fallback);
  made.about = std::move(about);
  return made;
}
inline Key needed(Key made) {
  made.required = true;
  return made;
}
inline Key only(std::vector<std::string> kinds, Key made) {
  made.only_for = std::move(kinds);
  return made;
}
inline Key also(std::vector<std::string> names, Key made) {
  made.also = std::move(names);
  return made;
}

}  // namespace hitless::fleet::types
