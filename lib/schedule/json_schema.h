// The JSON Schema of a schedule, for editors that check YAML while it is written.
#pragma once

#include "base/json.h"

namespace stagedtrain::schedule {

// Draft 2020-12, made from the same list of fields that reads a schedule. It accepts every schedule
// that the program accepts; rules between keys (heads that divide width) are left to the program.
Json json_schema();

}  // namespace stagedtrain::schedule
