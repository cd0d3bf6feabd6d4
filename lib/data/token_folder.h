// What to say when a folder is given where a token file is expected.
#pragma once

#include "base/file.h"

namespace stagedtrain::data {

// Does nothing for anything but a folder. Throws Error(input) for one, and says which file in it
// was probably meant.
void refuse_folder_of_tokens(const Path& path);

}  // namespace stagedtrain::data
