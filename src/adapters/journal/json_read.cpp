#include "adapters/journal/json_read.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>

#include "base/text.hpp"

namespace hitless::journal {
namespace {

namespace json = boost::json;

// Builds the tree like json::parse() does, but with correctly rounded doubles: Boost 1.81's own are
// off by one unit in the last place for one number in ten of 17 digits.
struct Builder {
  static constexpr std::size_t max_object_size = max_list_items;
  static constexpr std::size_t max_array_size = max_list_items;
  static constexpr std::size_t max_key_size = 1024;
  static constexpr std::size_t max_string_size = 2 * max_string_bytes;

  using Code = json::error_code;
  using Text = json::string_view;

  json::value_stack stack;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t n, Code&) { return stack.push_array(n), true; }
  bool on_object_begin(Code&) { return true; }
  bool on_object_end(std::size_t n, Code&) { return stack.push_object(n), true; }
  bool on_key_part(Text text, std::size_t, Code&) { return stack.push_chars(text), true; }
  bool on_key(Text text, std::size_t, Code&) { return stack.push_key(text), true; }
  bool on_string_part(Text text, std::size_t, Code&) { return stack.push_chars(text), true; }
  bool on_string(Text text, std::size_t, Code&) { return stack.push_string(text), true; }
  bool on_number_part(Text, Code&) {
    return true;
  }  // only when text comes in pieces; ours does not
  bool on_int64(std::int64_t value, Text, Code&) { return stack.push_int64(value), true; }
  bool on_uint64(std::uint64_t value, Text, Code&) { return stack.push_uint64(value), true; }
  bool on_double(double value, Text text, Code&) {
    std::from_chars(text.data(), text.data() + text.size(), value);
    return stack.push_double(value), true;
  }
  bool on_bool(bool value, Code&) { return stack.push_bool(value), true; }
  bool on_null(Code&) { return stack.push_null(), true; }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }
};

const char* kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "true or false";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
  }
  return "something else";
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  if (text.size() > max_json_bytes) {
    return fail(ErrorCode::invalid, fmt::format("JSON text of {} bytes is too long", text.size()),
                {}, fmt::format("the limit is {} bytes", max_json_bytes));
  }
  json::parse_options options;
  options.max_depth = max_json_depth;
  json::basic_parser<Builder> parser(options);
  parser.handler().stack.reset();
  json::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used < text.size()) error = json::error::extra_data;
  if (error) {
    return fail(ErrorCode::invalid,
                fmt::format("not valid JSON at byte {}: {}", used, error.message()));
  }
  return parser.handler().stack.release();
}

Status JsonReader::problem(std::string_view what) const {
  return fail(ErrorCode::invalid, fmt::format("field `{}` {}", path_.empty() ? "(top)" : path_,
                                              escape_for_terminal(what)));
}

Status JsonReader::wrong(const Value& from, std::string_view wanted) const {
  return problem(fmt::format("is {}, not {}", kind_name(from), wanted));
}

Status JsonReader::read(const Value& from, bool& to) {
  if (!from.is_bool()) return wrong(from, "true or false");
  to = from.get_bool();
  return {};
}

Status JsonReader::read(const Value& from, std::int64_t& to) {
  if (!from.is_int64()) return wrong(from, "a whole number");
  to = from.get_int64();
  return {};
}

Status JsonReader::read(const Value& from, double& to) {
  if (!from.is_number()) return wrong(from, "a number");
  json::error_code ignored;
  to = from.is_double() ? from.get_double() : from.to_number<double>(ignored);
  return {};
}

Status JsonReader::read(const Value& from, std::string& to) {
  if (!from.is_string()) return wrong(from, "a string");
  to.assign(from.get_string().data(), from.get_string().size());
  return {};
}

}  // namespace hitless::journal
