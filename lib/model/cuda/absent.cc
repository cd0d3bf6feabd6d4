// A build without CUDA graphs: LibTorch is not linked with CUDA, or CUDA's headers were not found.
#include "model/recorded_passes.h"

namespace stagedtrain::model {

MakeGraph cuda_graphs() { return {}; }

}  // namespace stagedtrain::model
