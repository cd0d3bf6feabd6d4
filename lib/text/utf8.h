// UTF-8: where it breaks, and where text may be cut.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace stagedtrain {

// The offset of the first byte that is not part of a well-formed character (RFC 3629: shortest
// forms only, no surrogates, at most U+10FFFF), or nothing.
std::optional<std::size_t> first_bad_utf8(std::string_view text);

// Where to cut text after about `wanted` bytes: behind the first line end from there on, at the
// latest after twice as much, then between two characters. Text of at most `wanted` bytes is not
// cut. The result is at least 1 (for text that is not empty) and at most text.size(). Requires
// wanted >= 4.
std::size_t cut_near(std::string_view text, std::size_t wanted);

}  // namespace stagedtrain
