// Reads described values from a JSON tree; each Error names the path
// (`plan.policy.capacity.floor`). For codec.cpp only.
#pragma once
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/describe.hpp"

namespace hitless::journal {

// What it meant in a journal of format 1 that a field was not there yet. A field that is added to
// an event gets a line here, or the format gets a new number (schema.hpp). False: it must be there.
template <class T>
bool absent_before(T& to, std::string_view field) {
  if constexpr (std::is_same_v<T, core::Effect>) {
    if (field != "epoch") return false;
    to.epoch = 1;  // there was no takeover
    return true;
  }
  if constexpr (std::is_same_v<T, core::Plan>)
    return field == "floors" || field == "packages" || field == "without_way_back" ||
           field == "install_ms";
  if constexpr (std::is_same_v<T, core::ServiceIdentity>) return field == "boot_id";
  if constexpr (std::is_same_v<T, core::TargetReading>)
    return field == "by_hand" || field == "standby";
  return false;
}

class JsonReader {
 public:
  using Value = boost::json::value;

  Status read(const Value& from, bool& to);
  Status read(const Value& from, std::int64_t& to);
  Status read(const Value& from, double& to);
  Status read(const Value& from, std::string& to);
  Status read(const Value& from, core::InstanceId& to) { return read(from, to.value); }

  template <class T>
  Status read(const Value& from, std::optional<T>& to) {
    if (from.is_null()) {
      to.reset();
      return {};
    }
    return read(from, to.emplace());
  }
  template <class T>
  Status read(const Value& from, std::vector<T>& to) {
    const auto* array = from.if_array();
    if (array == nullptr) return wrong(from, "a list");
    if (array->size() > max_list_items) return problem("has too many items");
    to.clear();
    to.reserve(array->size());
    for (const Value& item : *array) {
      const Step step(*this, "[" + std::to_string(to.size()) + "]");
      if (auto ok = read(item, to.emplace_back()); !ok) return ok;
    }
    return {};
  }
  template <class A, class B>
  Status read(const Value& from, std::pair<A, B>& to) {
    const auto* array = from.if_array();
    if (array == nullptr || array->size() != 2) return wrong(from, "a pair");
    if (auto ok = read((*array)[0], to.first); !ok) return ok;
    return read((*array)[1], to.second);
  }
  template <class T>
  Status read(const Value& from, T& to) {
    if constexpr (std::is_enum_v<T>) {
      const auto* text = from.if_string();
      if (text == nullptr) return wrong(from, "a word");
      if (boost::describe::enum_from_string(text->c_str(), to)) return {};
      return problem("has an unknown value `" + std::string(text->c_str()) + "`");
    } else {
      return read_struct(from, to);
    }
  }

  // A Status that says where we are.
  Status problem(std::string_view what) const;
  Status wrong(const Value& from, std::string_view wanted) const;

 private:
  struct Step {  // one more part of the path, for as long as it lives
    Step(JsonReader& reader, std::string_view part) : reader_(reader), size_(reader.path_.size()) {
      if (size_ != 0 && part.front() != '[') reader_.path_ += '.';
      reader_.path_ += part;
    }
    ~Step() { reader_.path_.resize(size_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    JsonReader& reader_;
    std::size_t size_;
  };

  template <class T>
  Status read_struct(const Value& from, T& to) {
    const auto* object = from.if_object();
    if (object == nullptr) return wrong(from, "an object");
    using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
    Status status;
    boost::mp11::mp_for_each<Members>([&](auto member) {
      if (!status) return;
      const Step step(*this, member.name);
      const Value* value = object->if_contains(member.name);
      if (value == nullptr && absent_before(to, member.name)) return;
      status = value == nullptr ? problem("is missing") : read(*value, to.*member.pointer);
    });
    return status;
  }

  std::string path_;
};

// The tree of text, with numbers read exactly, under the limits of codec.hpp.
Result<boost::json::value> parse_json(std::string_view text);

}  // namespace hitless::journal
