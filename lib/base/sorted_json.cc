// Parses and prints JSON with sorted keys. The depth is checked before parsing: with a callback
// that checks it during parsing, nlohmann visits all of an array again after each of its objects.
#include "base/sorted_json.h"

namespace stagedtrain {

SortedJson parse_sorted_json(std::string_view text, const std::string& where) {
  refuse_deep_json(text, where);
  try {
    return SortedJson::parse(text);
  } catch (const SortedJson::exception& error) {
    throw input_error("{}: not valid JSON: {}", where, error.what());
  }
}

std::string escape_controls(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0x7f) {
      result += "\\u007f";
    } else if (byte == 0xc2 && next < 0xa0) {
      result += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string json_text(const SortedJson& json, int indent) {
  return escape_controls(json.dump(indent, ' ', false, SortedJson::error_handler_t::replace));
}

}  // namespace stagedtrain
