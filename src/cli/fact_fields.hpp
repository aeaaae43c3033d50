// Fields of a fact that was kept as JSON in the journal's database or a file of the state folder.
// What is absent or of another type reads as nothing: an older or damaged fact grants nothing.
#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace hitless::cli {

[[nodiscard]] inline std::string text_at(const boost::json::object& from, std::string_view key) {
  const boost::json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

[[nodiscard]] inline TimeMs time_at(const boost::json::object& from, std::string_view key) {
  const boost::json::value* found = from.if_contains(key);
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

}  // namespace hitless::cli
