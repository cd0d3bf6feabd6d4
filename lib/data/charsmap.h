// The one part of a SentencePiece model that the library follows without checking.
#pragma once

#include <string_view>

namespace stagedtrain::data {

// Whether the tables of character replacements in a serialized model lead nowhere outside
// themselves (true for a model without one). The library walks such a table, a double-array trie,
// by the offsets that it finds in it, so a damaged one would be read out of bounds. model need not
// be a model at all.
bool charsmaps_are_sound(std::string_view model);

}  // namespace stagedtrain::data
