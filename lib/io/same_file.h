// Tells whether two paths name one file, so that no output replaces its own source.
#pragma once

#include "io/file.h"

namespace stagedtrain {

// Follows links and dots. Paths that do not exist are compared as they are written.
bool same_file(const Path& a, const Path& b);

}  // namespace stagedtrain
