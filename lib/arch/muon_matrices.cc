// Sums Newton-Schulz FLOPs over the distinct tensors of a model.
#include "arch/muon_matrices.h"

#include <algorithm>

#include "arch/distinct_tensors.h"

namespace stagedtrain::arch {

bool is_muon_matrix(const ParamSpec& spec) {
  return spec.layer >= 0 && spec.axes.size() == 2 && spec.axes[0].axis != Axis::experts;
}

double newton_schulz_flops(const ModelConfig& config) {
  double flops = 0;
  for (const DistinctTensor& tensor : distinct_tensors(config)) {
    if (!is_muon_matrix(tensor.spec)) continue;
    const auto [m, n] = std::minmax({static_cast<double>(tensor.spec.axes[0].size),
                                     static_cast<double>(tensor.spec.axes[1].size)});
    flops +=
        static_cast<double>(tensor.copies) * kNewtonSchulzSteps * (4 * m * m * n + 2 * m * m * m);
  }
  return flops;
}

}  // namespace stagedtrain::arch
