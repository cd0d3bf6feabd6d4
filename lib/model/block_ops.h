// Defines the operations of a block besides matrix products and attention. There are two
// implementations: ATen, and the project's CUDA kernels.
#pragma once

#include <ATen/ATen.h>

namespace stagedtrain::model {

// Shapes: N rows (tokens), C width, F hidden units, V vocab.

struct Summed {
  at::Tensor sum, normed;
};

struct LossTerms {
  double logit_scale = 1;
  double z_loss = 0;  // coefficient of mean(logsumexp^2)
  double scale = 1;   // multiplies the objective
  // an upper bound of the rows whose logits exist at a time (CUDA only); 0: rows_of_logits(V)
  std::int64_t rows_at_once = 0;
};
struct Loss {
  at::Tensor mean;       // cross-entropy in nats per token, detached
  at::Tensor objective;  // scale * (mean + z-loss term), the root of the graph
};

// A table of implementations. Autograd can differentiate all of them.
struct BlockOps {
  const char* name;
  // Computes sum = x + added (sum = x if added is undefined) and normed = LayerNorm(sum), or normed
  // = RMSNorm(sum) if bias is undefined. Statistics are in float32 or wider. Inputs have any shape
  // [.., C].
  Summed (*add_norm)(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight,
                     const at::Tensor& bias, double eps);
  // Computes gelu(x weight^T + bias) with GELU's tanh form.
  at::Tensor (*linear_gelu)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
  // Computes silu(gate) * up for gate_up [.., 2F], whose first F columns are gate.
  at::Tensor (*swiglu)(const at::Tensor& gate_up);
  // Computes the cross-entropy of the logits x weight^T, with x [N, C], weight [V, C] and targets
  // [N]. objective.backward() must be called with a gradient of 1.
  Loss (*classifier_loss)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& targets,
                          const LossTerms&);
};

// The default for rows_at_once: a multiple of 128 rows, with at most 2^27 logits unless 128 rows
// have more.
std::int64_t rows_of_logits(std::int64_t vocab);

const BlockOps& aten_ops();
// The implementation by the kernels in lib/cuda_kernels, for float32 and bfloat16.
// kernels::cuda::built() must match the device.
const BlockOps& cuda_ops();

}  // namespace stagedtrain::model
