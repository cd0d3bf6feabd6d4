// Are a SentencePiece model's character maps safe to load? The library does not check them.
#pragma once

#include <string_view>

namespace stagedtrain::data {

// Returns whether every character map in a serialized model points only inside itself (true for a
// model without one). The library follows the offsets in such a map, a double-array trie, without
// bounds checks, so a damaged one would make it read out of bounds. `model` may be any bytes at
// all.
bool charsmaps_are_sound(std::string_view model);

}  // namespace stagedtrain::data
