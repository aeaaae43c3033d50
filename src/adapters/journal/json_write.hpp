// Writes described values as canonical JSON (see codec.hpp). For codec.cpp and state_json.cpp
// only.
#pragma once
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/journal/describe.hpp"
#include "core/state.hpp"

namespace hitless::journal {

class JsonWriter {
 public:
  std::string take() { return std::move(out_); }

  void raw(std::string_view text) { out_ += text; }
  void string(std::string_view text);

  void write(bool value) { raw(value ? "true" : "false"); }
  void write(std::int64_t value) { out_ += std::to_string(value); }
  void write(double value);
  void write(const std::string& value);
  void write(const core::InstanceId& value) { write(value.value); }
  void write(const core::Phase& phase);  // its name, then its fields; in state_json.cpp

  template <class T>
  void write(const std::optional<T>& value) {
    if (value.has_value()) {
      write(*value);
    } else {
      raw("null");
    }
  }
  template <class T>
  void write(const std::vector<T>& values) {
    char separator = '[';
    for (const T& value : values) {
      out_ += std::exchange(separator, ',');
      write(value);
    }
    raw(values.empty() ? "[]" : "]");
  }
  template <class A, class B>
  void write(const std::pair<A, B>& value) {
    raw("[");
    write(value.first);
    raw(",");
    write(value.second);
    raw("]");
  }
  template <class T>
  void write(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      string(boost::describe::enum_to_string(value, "?"));  // "?" cannot be read back; see append()
    } else {
      raw("{");
      fields(value, false);
      raw("}");
    }
  }
  // The members of a described struct, without braces.
  template <class T>
  void fields(const T& value, bool comma) {
    using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
    boost::mp11::mp_for_each<Members>([&](auto member) {
      if (std::exchange(comma, true)) raw(",");
      string(member.name);
      raw(":");
      write(value.*member.pointer);
    });
  }

 private:
  std::string out_;
};

}  // namespace hitless::journal
