#include "adapters/aws/query.hpp"

#include "adapters/aws/sigv4.hpp"

namespace hitless::aws {

Params& Params::add(std::string name, std::string value) {
  all_.emplace_back(std::move(name), std::move(value));
  return *this;
}

Params& Params::add_list(const std::string& name, const std::vector<std::string>& values) {
  if (values.empty()) return add(name, std::string());
  for (std::size_t i = 0; i < values.size(); ++i)
    add(name + ".member." + std::to_string(i + 1), values[i]);
  return *this;
}

std::string Params::encoded() const {
  std::string text;
  for (const auto& [name, value] : all_) {
    if (!text.empty()) text += '&';
    text += uri_encode(name) + "=" + uri_encode(value);
  }
  return text;
}

}  // namespace hitless::aws
