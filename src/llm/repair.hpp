// The one turn in which a model may mend an answer that was not valid. Pure.
#pragma once
#include <string>

#include "llm/model.hpp"

namespace hitless::llm {

inline constexpr int kMaxRepairs = 1;

void add_repair(Question& question, const Answer& answer, const std::string& wrong);

}  // namespace hitless::llm
