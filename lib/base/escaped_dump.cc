// Walks over UTF-8 byte by byte.
#include "base/escaped_dump.h"

#include <algorithm>

namespace stagedtrain {
namespace {

// Returns how many bytes the character at this place has, or 0 if it is not valid UTF-8. nlohmann
// decides what is valid, so that nothing is left for it to refuse.
std::size_t character_bytes(const std::string& text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (size == 1) return 1;
  if (at + size > text.size()) return 0;
  try {
    static_cast<void>(Json(text.substr(at, size)).dump());
    return size;
  } catch (const Json::type_error&) {
    return 0;
  }
}

}  // namespace

std::string escape_bytes(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_bytes(text, at);
    if (size == 0)
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
    else
      result += text.substr(at, size);
    at += std::max<std::size_t>(size, 1);
  }
  return result;
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

}  // namespace stagedtrain
