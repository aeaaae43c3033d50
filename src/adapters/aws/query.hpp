// The parameters of AWS's Query protocol: "Action=X&Version=…&Targets.member.1.Id=i-…".
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace hitless::aws {

class Params {
 public:
  Params& add(std::string name, std::string value);
  Params& add(std::string name, std::int64_t value) {
    return add(std::move(name), std::to_string(value));
  }
  // name.member.1=…, counted from 1; an empty list is sent as "name=".
  Params& add_list(const std::string& name, const std::vector<std::string>& values);
  [[nodiscard]] std::string encoded() const;  // x-www-form-urlencoded

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

}  // namespace hitless::aws
