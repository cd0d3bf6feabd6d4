// SortedJson keeps the keys of each object sorted, for large files from elsewhere. Json compares
// each new key of an object with all earlier ones, which takes hours if a hostile file has a
// million.
#pragma once

#include <string>
#include <string_view>

#include "text/json.h"

namespace stagedtrain {

// Throws Error(input) "where: not valid JSON: ...", or that it is nested deeper than
// kMostJsonLevels.
SortedJson parse_sorted_json(std::string_view text, const std::string& where);
// Throws Error(input) for what nlohmann would not refuse: brackets nested deeper than
// kMostJsonLevels, and a null character, which it takes for the end of the text.
void refuse_deep_json(std::string_view text, const std::string& where);
// Prints with this indentation, or on one line if it is negative, with control characters escaped.
std::string json_text(const SortedJson& json, int indent);

}  // namespace stagedtrain
