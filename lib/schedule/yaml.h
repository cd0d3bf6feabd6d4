// How is a document parsed as strict YAML? One document, no duplicate keys, no tags, and limits on
// size, nesting and aliases.
#pragma once

#include <string>
#include <string_view>

#include "text/tree.h"

namespace stagedtrain::schedule {

// Parses YAML into a Tree whose scalars are text; the fields that read them parse them later.
// `file` is the name in messages. Throws Error(usage) with file:line:column for a syntax error, a
// duplicate key, a second document, a tag, a key that is not text, nesting deeper than 32 levels,
// more than 20,000 values (with aliases expanded), or more than 1 MiB of text.
Tree parse_yaml(std::string_view text, const std::string& file);

}  // namespace stagedtrain::schedule
