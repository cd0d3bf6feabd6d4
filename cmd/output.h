// How commands print: results to standard output, messages to standard error.
#pragma once

#include <string_view>

namespace stagedtrain::cmd {

// Prints a result, as text or JSON. Escapes control characters, which may come from file names,
// tensor names and metadata. Throws Error(resource) if the text cannot be written completely; a
// reader that has closed the pipe (`| head`) is not an error.
void print(std::string_view text);
// Prints a result byte by byte, for sampled text.
void print_bytes(std::string_view bytes);
// Prints progress, warnings and errors to stderr, with control characters escaped. Ignores write
// errors.
void print_to_stderr(std::string_view text);

}  // namespace stagedtrain::cmd
