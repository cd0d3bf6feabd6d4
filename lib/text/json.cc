// Parses JSON with the project's errors and limits, and prints it.
#include "text/json.h"

#include "text/escaped_dump.h"
#include "text/sorted_json.h"

namespace stagedtrain {
namespace {

// Returns whether nlohmann would take a null character for the end and ignore what follows.
bool ends_early(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// Returns whether brackets outside of strings are nested deeper than allowed.
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMostJsonLevels) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

void refuse_deep_json(std::string_view text, const std::string& where) {
  if (is_too_deep(text))
    throw input_error("{}: JSON nested deeper than {} levels", where, kMostJsonLevels);
  if (ends_early(text))
    throw input_error("{}: not valid JSON: a null character at byte {}", where, text.find('\0'));
}

Json parse_json(std::string_view text, const std::string& where) {
  refuse_deep_json(text, where);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw input_error("{}: not valid JSON: {}", where, error.what());
  }
}

std::optional<Json> try_parse_json(std::string_view text) {
  if (is_too_deep(text) || ends_early(text)) return {};
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return {};
  return json;
}

std::string json_text(const Json& json, int indent) { return escaped_dump(json, indent); }

}  // namespace stagedtrain
