// Computes losses of checkpoint files on token files.
#pragma once

#include "engine/engine.h"

namespace stagedtrain::train {

// Functions of the module's interface (engine/engine.h). All ranks of a run call evaluate_file;
// each scores its share of the windows, and all return bit for bit what one process would.
EvalResult evaluate_file(const EvalRequest& request);
VerifyResult verify_files(const VerifyRequest& request);

}  // namespace stagedtrain::train
