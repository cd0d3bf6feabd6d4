// Which matrices of a model have low-rank adapters, and which tensors do these consist of?
//
// A matrix W (out x in) with an adapter is W = W_0 + scale B A. Its base W_0 keeps its values, and
// A (rank x in) and B (out x rank) are trained (LoRA, arXiv 2106.09685). A begins as normal numbers
// with standard deviation 1 / sqrt(in) and B as zero, so W begins as W_0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::arch {

struct AdapterSet {
  std::int64_t rank = 0;  // 0: there are no adapters
  double alpha = 0;
  double lr = 1;                      // factor on the learning rate of A and B
  std::int64_t start = 0;             // the step of the run after which they began
  std::vector<std::string> matrices;  // the names of the adapted tensors

  bool none() const { return matrices.empty(); }
  double scale() const { return alpha / static_cast<double>(rank); }
  bool operator==(const AdapterSet&) const = default;
};

// Returns A and B of each matrix in turn, named NAME.a and NAME.b. `model` is the table of the
// model, which must have all matrices of the set.
ParamTable adapter_table(const AdapterSet& set, const ParamTable& model);

// What a checkpoint stores of each matrix, in this order: the base, A and B, and the first and
// second moments of A and B.
inline constexpr const char* kAdapterParts[] = {
    "base", "a", "b", "a.exp_avg", "b.exp_avg", "a.exp_avg_sq", "b.exp_avg_sq"};
inline constexpr std::size_t kNumAdapterParts = 7;
// Returns the parts of each matrix in turn, named NAME.PART.
ParamTable stored_adapters(const AdapterSet& set, const ParamTable& model);

}  // namespace stagedtrain::arch
