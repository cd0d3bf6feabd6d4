// Reports a folder that was given where a checkpoint is expected.
#pragma once

#include "io/file.h"

namespace stagedtrain::state {

// Throws Error(input) if path is a folder, with a hint at the checkpoint in it that was probably
// meant: for a run folder the end of its newest stage, otherwise its newest checkpoint. Does
// nothing for anything else.
void refuse_folder_of_checkpoints(const Path& path);

}  // namespace stagedtrain::state
