// What a report found, as text for a terminal and as JSON for programs.
#pragma once

#include <string>

#include "base/json.h"
#include "report/comparison.h"

namespace stagedtrain::report {

// The verdicts, the runs and the savings: ends with a line end.
std::string to_text(const Report& report);
// {"runs": [...], "comparisons": [...]}; what is not known is null. docs/run-log.md has the keys.
Json to_json(const Report& report);

}  // namespace stagedtrain::report
