// What is the JSON Schema of a schedule? Editors use it to check YAML while it is written.
#pragma once

#include "text/json_fwd.h"

namespace stagedtrain::schedule {

// Returns the schema (draft 2020-12), which is generated from the same fields list that reads a
// schedule. It accepts every schedule that the program accepts. It does not express rules between
// keys, such as that heads divide width, which only the program checks.
Json json_schema();

}  // namespace stagedtrain::schedule
