// Counts of what the engine keeps.
#include "plan/memory.h"

#include <algorithm>

namespace stagedtrain::plan {
namespace {

using schedule::Precision;

double number_bytes(const schedule::Schedule& s) { return s.precision == Precision::fp64 ? 8 : 4; }

}  // namespace

MemoryParts training_memory(const schedule::Schedule& s, const arch::ModelConfig& m,
                            std::int64_t parameters) {
  const double bytes = number_bytes(s);
  const bool half = s.precision == Precision::bf16;
  const double compute = half ? 2 : bytes;
  const auto params = static_cast<double>(parameters);
  const auto rows =
      static_cast<double>((s.batch.micro ? s.batch.micro : s.batch.sequences) * m.context);
  const std::int64_t hidden = m.experts > 0 ? m.experts_per_token * m.ffn : m.ffn;
  const auto per_layer =
      static_cast<double>(6 * m.width + m.heads * (m.head_dim + m.value_dim) +
                          m.kv_heads * (m.head_dim + m.value_dim) + 2 * hidden);
  MemoryParts parts;
  parts.weights = parts.gradients = (bytes + (half ? 2 : 0)) * params;
  parts.moments = 2 * bytes * params;
  parts.activations =
      rows * (static_cast<double>(m.layers) * per_layer + static_cast<double>(2 * m.width)) *
      compute;
  parts.logits = 2 * rows * static_cast<double>(m.vocab) * std::max(compute, 4.0);
  return parts;
}

double growth_memory(const schedule::Schedule& s, std::int64_t old_parameters,
                     std::int64_t new_parameters) {
  return 3 * number_bytes(s) * static_cast<double>(old_parameters + new_parameters);
}

double activations_of_the_literature(const arch::ModelConfig& m, std::int64_t sequences,
                                     bool fused_attention) {
  const auto rows = static_cast<double>(sequences * m.context * m.layers);
  const auto attention = fused_attention ? 0.0 : static_cast<double>(5 * m.heads * m.context);
  return rows * (34 * static_cast<double>(m.width) + attention);
}

}  // namespace stagedtrain::plan
