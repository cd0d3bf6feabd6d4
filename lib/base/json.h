// JSON for --json, run.jsonl and metadata: nlohmann's, with keys in the order they were written.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace stagedtrain {

using Json = nlohmann::ordered_json;

// How deep JSON may be nested. Ours has 6 levels; a file of 300,000 "[" would overflow the stack of
// whatever walks it.
inline constexpr int kMostJsonLevels = 64;

// The only way to read JSON. Throws Error(input) "where: not valid JSON: ...", or that it is nested
// too deep.
Json parse_json(std::string_view text, const std::string& where);
// The same, but nothing for what is not JSON, such as a line that a crash cut short.
std::optional<Json> try_parse_json(std::string_view text, const std::string& where);
// The only way to print JSON: with this indentation, or on one line if it is negative; no line end.
// What is not UTF-8 (paths may be any bytes) becomes U+FFFD, and no control character is printed
// as it is.
std::string json_text(const Json& json, int indent = 2);

}  // namespace stagedtrain
