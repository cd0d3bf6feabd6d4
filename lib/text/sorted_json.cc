// Parses and prints JSON with sorted keys. The depth is checked before parsing: with a callback
// that checks it during parsing, nlohmann visits all of an array again after each of its objects.
#include "text/sorted_json.h"

#include "text/escaped_dump.h"

namespace stagedtrain {

SortedJson parse_sorted_json(std::string_view text, const std::string& where) {
  refuse_deep_json(text, where);
  try {
    return SortedJson::parse(text);
  } catch (const SortedJson::exception& error) {
    throw input_error("{}: not valid JSON: {}", where, error.what());
  }
}

std::string json_text(const SortedJson& json, int indent) { return escaped_dump(json, indent); }

}  // namespace stagedtrain
