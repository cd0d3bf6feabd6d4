// Stands in for graph.cc in builds without CUDA graphs: LibTorch has no CUDA, or CUDA's headers
// were not found.
#include "model/recorded_passes.h"

namespace stagedtrain::model {

MakeGraph cuda_graphs() { return {}; }

}  // namespace stagedtrain::model
