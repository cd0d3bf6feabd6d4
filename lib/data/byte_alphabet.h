// GPT-2's byte alphabet: each byte as one printable character, in which byte-level BPE vocabularies
// are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace stagedtrain::data {

// The character of a byte, in UTF-8: bytes 33 to 126, 161 to 172 and 174 to 255 stand for
// themselves, the other 68 are U+0100 to U+0143 in order.
const std::string& character_of_byte(unsigned char byte);
// The bytes that such characters stand for, or nothing if there is another character.
std::optional<std::string> bytes_of_characters(std::string_view text);
// The other way round.
std::string characters_of_bytes(std::string_view bytes);

}  // namespace stagedtrain::data
