// Parses strict YAML: one document, no duplicate keys, and limits on size, nesting and aliases.
#pragma once

#include <string>
#include <string_view>

#include "base/tree.h"

namespace stagedtrain::schedule {

// Parses YAML into a Tree whose scalars are text, which their fields parse later. Throws
// Error(usage) with file:line:column for a syntax error, a duplicate key, a second document, a tag,
// a key that is not text, nesting beyond 32, more than 20,000 values (aliases expanded), or text
// beyond 1 MiB. `file` is the name in messages.
Tree parse_yaml(std::string_view text, const std::string& file);

}  // namespace stagedtrain::schedule
