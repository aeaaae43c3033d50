// The part of JSON Schema that tool schemas may use, checked locally on each call.
//
// Invariants: a schema with a keyword that is not checked here is refused when the tool is
// registered, so that nothing is promised and then not looked at; no keyword can take long on
// hostile input (there are no patterns). Pure; nothing is kept.
#pragma once
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless::agent {

// type (one name or several), properties, required, additionalProperties, enum, items, minItems,
// maxItems, minLength, maxLength, minimum, maximum; title, description and default are for readers.
// Every object schema has to say `additionalProperties: false`.
[[nodiscard]] Status check_schema(const boost::json::object& schema);

// Empty: it fits. Else what is wrong and where: "limit: 500 is more than 200". The value's own text
// stands in it only shortened and escaped.
[[nodiscard]] std::string what_does_not_fit(const boost::json::value& value,
                                            const boost::json::object& schema);

// A schema from its text in our own source; throws on a typing error there.
[[nodiscard]] boost::json::object schema_of(std::string_view text);

}  // namespace hitless::agent
