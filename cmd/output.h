// How do commands print? Results to standard output with these functions, messages to standard
// error with those of io/terminal.h.
#pragma once

#include <string_view>

#include "io/terminal.h"

namespace stagedtrain::cmd {

// Prints a result, as text or JSON. Escapes control characters, which may come from file names,
// tensor names and metadata. Throws Error(resource) if the text cannot be written completely; a
// reader that has closed the pipe (`| head`) is not an error.
void print(std::string_view text);
// Prints a result byte by byte, for sampled text.
void print_bytes(std::string_view bytes);

}  // namespace stagedtrain::cmd
