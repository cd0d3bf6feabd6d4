// Converts backslash escapes in the text of an option to bytes, and back.
#include "prepare/escapes.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/error.h"

namespace stagedtrain::data {
namespace {

struct Escape {
  char letter, meaning;
};
constexpr std::array kEscapes = {Escape{'n', '\n'}, Escape{'r', '\r'}, Escape{'t', '\t'},
                                 Escape{'0', '\0'}, Escape{'\\', '\\'}};

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

}  // namespace

std::string unescaped(std::string_view text, std::string_view option) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      result += text[i];
      continue;
    }
    const std::string_view rest = text.substr(i + 1);
    const auto* known = std::find_if(kEscapes.begin(), kEscapes.end(), [&](const Escape& escape) {
      return rest.starts_with(escape.letter);
    });
    if (known != kEscapes.end()) {
      result += known->meaning;
      i += 1;
    } else if (rest.size() >= 3 && rest[0] == 'x' && is_hex(rest[1]) && is_hex(rest[2])) {
      result += static_cast<char>(std::stoi(std::string(rest.substr(1, 2)), nullptr, 16));
      i += 3;
    } else {
      throw usage_error(
          "{}: found '{}' at character {}, expected one of \\n \\r \\t \\0 \\\\ \\xHH", option,
          text.substr(i, 2), i + 1)
          .with_hint(
              "write \\\\ for a backslash, and \\x followed by two hexadecimal digits for "
              "any other byte");
    }
  }
  return result;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto* known = std::find_if(kEscapes.begin(), kEscapes.end(),
                                     [&](const Escape& escape) { return escape.meaning == c; });
    const auto byte = static_cast<unsigned char>(c);
    if (known != kEscapes.end()) {
      result += {'\\', known->letter};
    } else if (byte < 0x20 || byte >= 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace stagedtrain::data
