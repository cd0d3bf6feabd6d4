// Evaluates the condition under which one growth saves half of the FLOPs.
#include "scaling/half_saving.h"

namespace stagedtrain::law {

double saving_at_share(double cost_ratio, double rho, double share) {
  const double small_tokens = share / (1 - share);  // for each token of the final model
  return small_tokens * (1 / rho - cost_ratio) / (small_tokens / rho + 1);
}

std::optional<double> share_for_half(double cost_ratio, double rho) {
  const double share = 1 / (1 + 1 / rho - 2 * cost_ratio);
  if (!(share > 0 && share < 1)) return {};
  return share;
}

}  // namespace stagedtrain::law
