// Prints nlohmann's JSON of either kind without control characters, whatever bytes its strings hold.
#pragma once

#include <string>

#include "text/json.h"

namespace stagedtrain {

// Replaces each byte of a string that is no part of valid UTF-8 by "\xNN", four characters.
std::string escape_bytes(const std::string& text);
// Escapes DEL and U+0080 to U+009F, which terminals interpret and nlohmann prints as they are.
std::string escape_controls(const std::string& json);

template <class J>
J with_escaped_bytes(const J& json) {
  if (json.is_string()) return escape_bytes(json.template get<std::string>());
  if (json.is_array()) {
    J list = J::array();
    for (const J& item : json) list.push_back(with_escaped_bytes(item));
    return list;
  }
  if (!json.is_object()) return json;
  J object = J::object();
  for (const auto& entry : json.items())
    object[escape_bytes(entry.key())] = with_escaped_bytes(entry.value());
  return object;
}

template <class J>
std::string escaped_dump(const J& json, int indent) {
  try {
    return escape_controls(json.dump(indent));
  } catch (const typename J::type_error&) {  // a string is not UTF-8
    return escape_controls(with_escaped_bytes(json).dump(indent));
  }
}

}  // namespace stagedtrain
