// The parser says how deep it is before anything deeper is made.
#include "base/sorted_json.h"

#include "base/json.h"

namespace stagedtrain {

SortedJson parse_sorted_json(std::string_view text, const std::string& where) {
  const auto limit = [&where](int depth, SortedJson::parse_event_t, SortedJson&) {
    if (depth > kMostJsonLevels)
      throw input_error("{}: JSON nested deeper than {} levels", where, kMostJsonLevels);
    return true;
  };
  try {
    return SortedJson::parse(text, limit);
  } catch (const SortedJson::exception& error) {
    throw input_error("{}: not valid JSON: {}", where, error.what());
  }
}

std::string json_text(const SortedJson& json, int indent) {
  return json.dump(indent, ' ', false, SortedJson::error_handler_t::replace);
}

}  // namespace stagedtrain
