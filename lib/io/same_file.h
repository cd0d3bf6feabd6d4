// Tells whether two paths name one file, so that no output replaces its own source.
#pragma once

#include "io/file.h"

namespace stagedtrain {

// Follows links and dots. Paths that do not exist are compared as they are written.
bool same_file(const Path& a, const Path& b);

// Throws Error(usage) "TARGET: is WHAT never replaces its source" if the target is the source. what
// is, for instance, "the checkpoint to be grown; a growth".
void refuse_own_source(const Path& source, const Path& target, const char* what);

}  // namespace stagedtrain
