// Escapes in an option's text, for characters that a shell passes on badly or not at all.
#pragma once

#include <string>
#include <string_view>

namespace stagedtrain::data {

// \n, \r, \t, \0, \\ and \xHH (any byte, two hexadecimal digits) become the byte that they name.
// Throws Error(usage), naming the option and listing these, for any other backslash.
std::string unescaped(std::string_view text, std::string_view option);

// The other way round, for messages: control characters and bytes beyond ASCII become escapes.
std::string escaped(std::string_view text);

}  // namespace stagedtrain::data
