// JSON for --json, run.jsonl and metadata is nlohmann's, with keys in the order they were written.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "text/json_fwd.h"

namespace stagedtrain {

// How deep JSON may be nested. The project's own JSON has 6 levels. A file of 300,000 "[" would
// overflow the stack of any recursive function that visits it.
inline constexpr int kMostJsonLevels = 64;

// Parses JSON. Code outside base uses this, or the parsers in sorted_json.h and strict_json.h.
// Throws Error(input) "where: not valid JSON: ...", or that it is nested too deep.
Json parse_json(std::string_view text, const std::string& where);
// Does the same, but returns nothing for text that parse_json would refuse, such as a line that a
// crash cut short.
std::optional<Json> try_parse_json(std::string_view text);
// Prints JSON, on one line if indent is negative, and without a newline at the end. A byte that is
// not UTF-8, as paths may hold, becomes the text "\xff" (with its value), so that names stay
// distinct. Control characters are escaped.
std::string json_text(const Json& json, int indent = 2);

}  // namespace stagedtrain
