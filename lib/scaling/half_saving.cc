// Evaluates the condition under which one growth saves half of the FLOPs.
#include "scaling/half_saving.h"

namespace stagedtrain::scaling {

std::optional<double> share_for_half(double cost_ratio, double rho) {
  const double share = 1 / (1 + 1 / rho - 2 * cost_ratio);
  if (!(share > 0 && share < 1)) return {};
  return share;
}

}  // namespace stagedtrain::scaling
