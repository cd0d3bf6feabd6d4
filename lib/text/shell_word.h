// How is a text written in a shell script, as one word?
#pragma once

#include <string>

namespace stagedtrain {

// Returns the text quoted for sh, bash and zsh. Control characters of a path could end a line of a
// script or hide text in a terminal, so a text with any is written as bash's $'...' with escapes.
std::string shell_word(const std::string& text);

}  // namespace stagedtrain
