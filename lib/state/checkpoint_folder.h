// What to say when a folder is given where a checkpoint is expected.
#pragma once

#include "base/file.h"

namespace stagedtrain::state {

// Does nothing for anything but a folder. Throws Error(input) for one, and says which checkpoint in
// it was probably meant: of a run folder the end of its newest stage, else its newest checkpoint.
void refuse_folder_of_checkpoints(const Path& path);

}  // namespace stagedtrain::state
