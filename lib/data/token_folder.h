// What does the error say if a folder is given where a token file is expected?
#pragma once

#include "io/file.h"

namespace stagedtrain::data {

// Throws Error(input) if path is a folder, with a hint about the file in it that was probably
// meant; otherwise does nothing.
void refuse_folder_of_tokens(const Path& path);

}  // namespace stagedtrain::data
