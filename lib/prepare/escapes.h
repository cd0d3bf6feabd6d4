// Which backslash escapes does an option accept, for characters that are hard to pass to a shell?
#pragma once

#include <string>
#include <string_view>

namespace stagedtrain::data {

// Replaces \n, \r, \t, \0, \\ and \xHH (any byte, as two hexadecimal digits) with the byte that
// they stand for. Throws Error(usage), which names the option and lists these, at any other
// backslash.
std::string unescaped(std::string_view text, std::string_view option);

// Inverts unescaped, for use in messages: control characters and non-ASCII bytes become escapes.
std::string escaped(std::string_view text);

}  // namespace stagedtrain::data
