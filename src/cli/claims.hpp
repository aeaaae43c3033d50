// Diagnoses that clients handed in (diagnosis_submit): claims. Their ids and quotes were checked
// when they came; nothing else of them was, and nothing follows from them.
//
// One fact `diagnosis:R-…` in the journal's database for each rollout, the newest claim; written
// whole or not at all.
#pragma once
#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "ports/journal.hpp"

namespace hitless::cli {

[[nodiscard]] Status put_claim(ports::Journal& journal, const std::string& rollout,
                               const boost::json::object& claim);
[[nodiscard]] std::optional<boost::json::object> get_claim(ports::Journal& journal,
                                                           const std::string& rollout);
// For incidents, several lines that say whose claim it is; empty: there is none.
[[nodiscard]] std::string claim_text(ports::Journal& journal, const std::string& rollout);

}  // namespace hitless::cli
