// Parsing JSON with our error.
#include "base/json.h"

namespace stagedtrain {

Json parse_json(std::string_view text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw input_error("{}: not valid JSON: {}", where, error.what());
  }
}

}  // namespace stagedtrain
