// Counts parameters and FLOPs from the parameter table, so every architecture in the table is
// covered.
#include "arch/cost.h"

#include <algorithm>

#include "arch/distinct_tensors.h"
#include "arch/loops.h"
#include "arch/routed_layers.h"

namespace stagedtrain::arch {

ParamCount count_params(const ModelConfig& config) {
  ParamCount count;
  for (const DistinctTensor& tensor : distinct_tensors(config)) {
    const std::int64_t all = tensor.copies * tensor.spec.count();
    count.total += all;
    count.active += tensor.active * tensor.spec.count();
    if (tensor.spec.role != Role::embed && tensor.spec.role != Role::head)
      count.non_embedding += all;
  }
  return count;
}

double attention_flops_per_token(const ModelConfig& c, std::int64_t length) {
  const double span = static_cast<double>(length > 0 ? length : c.context);
  return 6.0 * static_cast<double>(executed_layers(c) * c.heads * (c.head_dim + c.value_dim)) *
         span * mean_routed_cost(c).attention;
}

double flops_per_token(const ModelConfig& c, std::int64_t length) {
  const std::int64_t stored = std::max<std::int64_t>(1, c.layers), executed = executed_layers(c);
  const double matrices = mean_routed_cost(c).matrices;
  double weights = static_cast<double>(c.vocab) * static_cast<double>(c.width);  // the output head
  for (const DistinctTensor& tensor : distinct_tensors(c)) {
    if (tensor.spec.layer < 0 || tensor.spec.axes.size() != 2) continue;
    weights += is_token_router(tensor.spec)
                   ? static_cast<double>(tensor.active * tensor.spec.count())
                   : matrices * static_cast<double>(tensor.active / stored * executed *
                                                    tensor.spec.count());
  }
  return 6.0 * weights + attention_flops_per_token(c, length);
}

}  // namespace stagedtrain::arch
