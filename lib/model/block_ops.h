// What a block does besides matrix products and attention: by ATen, or by own CUDA kernels.
#pragma once

#include <ATen/ATen.h>

namespace stagedtrain::model {

// Legend: N rows (tokens), C width, F hidden units, V vocab.

struct Summed {
  at::Tensor sum, normed;
};

struct LossTerms {
  double logit_scale = 1;
  double z_loss = 0;              // coefficient of mean(logsumexp^2)
  double scale = 1;               // of the objective
  std::int64_t rows_at_once = 0;  // whose logits are held, where not all are; 0: rows_of_logits
};
struct Loss {
  at::Tensor mean;       // cross-entropy in nats per token, detached
  at::Tensor objective;  // scale * (mean + z_loss term), the root of the graph
};

// One way to do each; all are differentiable by autograd.
struct BlockOps {
  const char* name;
  // sum = x + added (x, where added is undefined); normed = LayerNorm(sum), or RMSNorm (statistics
  // in float32 at least) where bias is undefined. Any shape [.., C].
  Summed (*add_norm)(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight,
                     const at::Tensor& bias, double eps);
  // gelu(x weight^T + bias), GELU by tanh.
  at::Tensor (*linear_gelu)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
  // silu(gate) * up of gate_up [.., 2F].
  at::Tensor (*swiglu)(const at::Tensor& gate_up);
  // Cross-entropy of the logits x weight^T: x [N, C], weight [V, C], targets [N]. objective's
  // gradient must be asked for with a gradient of 1.
  Loss (*classifier_loss)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& targets,
                          const LossTerms&);
};

// How many rows of logits are worth holding at once: enough for a product to fill a processor.
std::int64_t rows_of_logits(std::int64_t vocab);

const BlockOps& aten_ops();
// By kernels/cuda; float32 and bfloat16. Requires kernels::cuda::built() for the device.
const BlockOps& cuda_ops();

}  // namespace stagedtrain::model
