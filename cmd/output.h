// What every command prints: results on standard output, words on standard error.
#pragma once

#include <string_view>

namespace stagedtrain::cmd {

// A result, text or JSON. Control characters of file names, tensor names and metadata never reach a
// terminal. Throws Error(resource) if not all of it could be written; a reader that has gone
// (`| head`) is no error.
void print(std::string_view text);
// A result byte by byte, as sampled text is.
void print_bytes(std::string_view bytes);
// Progress, warnings and errors, with control characters escaped. Never throws for a stream that
// cannot be written.
void tell(std::string_view text);

}  // namespace stagedtrain::cmd
