// JSON for --json, run.jsonl and metadata: nlohmann's, with keys in the order they were written.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace stagedtrain {

using Json = nlohmann::ordered_json;

// Throws Error(input) "where: not valid JSON: ...".
Json parse_json(std::string_view text, const std::string& where);

}  // namespace stagedtrain
