// What is GPT-2's byte alphabet? One printable character for each byte. Byte-level BPE vocabularies
// are written in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stagedtrain::data {

// Returns the character of a byte, in UTF-8. Bytes 33 to 126, 161 to 172 and 174 to 255 map to the
// code point of the same number; the other 68 map to U+0100 to U+0143, in order.
const std::string& character_of_byte(unsigned char byte);
// Inverts characters_of_bytes; returns nothing if text contains a character outside the alphabet.
std::optional<std::string> bytes_of_characters(std::string_view text);
// Returns one character of the alphabet for each byte.
std::string characters_of_bytes(std::string_view bytes);

}  // namespace stagedtrain::data
