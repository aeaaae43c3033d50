// A secret of the fleet file: kept as the reference that was written (${env:X}, ${file:/p},
// ${cred:NAME}) and read only by reveal(), at the moment of use. There is no formatter and no
// operator<<, so it cannot slip into a log; describe() shows the reference, never the value.
#pragma once
#include <iosfwd>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless::fleet {

class Secret {
 public:
  enum class Source { none, literal, env, file, credential };

  Secret() = default;
  // "${env:X}", "${file:/p}", "${cred:NAME}" or the value itself. A malformed reference is an
  // error.
  [[nodiscard]] static Result<Secret> parse(std::string_view text);

  [[nodiscard]] bool empty() const { return source_ == Source::none; }
  [[nodiscard]] bool is_literal() const { return source_ == Source::literal; }
  [[nodiscard]] Source source() const { return source_; }
  [[nodiscard]] std::string describe() const;  // "${env:X}", "a literal value", "none"
  // The value now: not_found when the variable, file or credential is missing, invalid when it is
  // empty or too large. One trailing line break of a file is dropped.
  [[nodiscard]] Result<std::string> reveal() const;

  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  Secret(Source source, std::string text) : source_(source), text_(std::move(text)) {}
  Source source_ = Source::none;
  std::string text_;  // the literal, or the name or path referred to
};

}  // namespace hitless::fleet
