// How are a report's results printed on a terminal and as JSON?
#pragma once

#include <string>

#include "compare/comparison.h"
#include "text/json_fwd.h"

namespace stagedtrain::report {

// Returns verdicts, runs and savings, ending with a newline.
std::string to_text(const Report& report);
// Returns {"runs": [...], "comparisons": [...]}. Unknown values are null; docs/run-log.md lists the
// keys.
Json to_json(const Report& report);

}  // namespace stagedtrain::report
