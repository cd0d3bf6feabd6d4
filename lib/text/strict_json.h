// Parses JSON from foreign files strictly: a file that can be understood in two ways is refused.
#pragma once

#include <string>
#include <string_view>

#include "text/json.h"

namespace stagedtrain {

// Keys are sorted and found in logarithmic time, since foreign files may have very many of them.
// Throws Error(input) that begins with `where` for anything but UTF-8 JSON, for a key that occurs
// twice in one object, and for nesting deeper than most_depth (which also bounds recursion).
SortedJson parse_strict_json(std::string_view text, const std::string& where, int most_depth = 8);

}  // namespace stagedtrain
