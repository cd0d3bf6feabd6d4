// Escapes what is not UTF-8, and what terminals interpret.
#include "text/escaped_dump.h"

#include <string_view>

#include "text/utf8.h"

namespace stagedtrain {
std::string escape_bytes(const std::string& text) {
  std::string result;
  std::string_view rest = text;
  while (const auto bad = first_bad_utf8(rest)) {
    result += rest.substr(0, *bad);
    result += fmt::format("\\x{:02x}", static_cast<unsigned char>(rest[*bad]));
    rest.remove_prefix(*bad + 1);
  }
  return result.append(rest);
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
