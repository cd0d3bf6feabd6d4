// Maps bytes to the characters of GPT-2's byte alphabet and back, through a table built once.
#include "tokenizers/byte_alphabet.h"

#include <array>

namespace stagedtrain::data {
namespace {

constexpr unsigned kLast = 0x143;  // the last code point of the alphabet

bool stands_for_itself(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

// bytes is indexed by code point and holds -1 for a character outside the alphabet.
struct Alphabet {
  std::array<std::string, 256> characters;
  std::array<int, kLast + 1> bytes;
  Alphabet() {
    bytes.fill(-1);
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const unsigned code = stands_for_itself(byte) ? byte : next++;
      bytes[code] = static_cast<int>(byte);
      if (code >= 0x80) characters[byte] += static_cast<char>(0xc0 | code >> 6);
      characters[byte] += static_cast<char>(code >= 0x80 ? 0x80 | (code & 0x3f) : code);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet alphabet;
  return alphabet;
}

}  // namespace

const std::string& character_of_byte(unsigned char byte) { return alphabet().characters[byte]; }

std::optional<std::string> bytes_of_characters(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto code = static_cast<unsigned>(static_cast<unsigned char>(text[i]));
    if (code >= 0x80) {  // every character of the alphabet has one or two bytes in UTF-8
      if ((code & 0xe0) != 0xc0 || i + 1 == text.size()) return {};
      const auto low = static_cast<unsigned char>(text[++i]);
      if ((low & 0xc0) != 0x80) return {};
      code = (code & 0x1f) << 6 | (low & 0x3f);
    }
    if (code > kLast || alphabet().bytes[code] < 0) return {};
    bytes += static_cast<char>(alphabet().bytes[code]);
  }
  return bytes;
}

std::string characters_of_bytes(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += character_of_byte(static_cast<unsigned char>(byte));
  return text;
}

}  // namespace stagedtrain::data
