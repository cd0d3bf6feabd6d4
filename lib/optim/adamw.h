// Makes AdamW steps, and computes the gradient norm, on the flat buffers.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/sum_order.h"
#include "model/param_buffer.h"

namespace stagedtrain::train {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1;
};

// AdamW (Loshchilov and Hutter, arXiv 1711.05101) as in torch.optim.AdamW, with decoupled weight
// decay on the tensors that decay. step counts from 1. Moments that were zeroed at step s are
// bias-corrected by step - s. Each segment has its own scales and its own ramp of the learning
// rate. Frozen and idle segments keep their weights and moments. Gradients are multiplied by
// gradient_factor before the step, and set to zero after it. Weights, their bfloat16 copy and
// moments change in place.
void adamw_step(model::ParamBuffer& params, const AdamWOptions& options, double lr,
                std::int64_t step, double gradient_factor);
// Does the same for these segments only. The caller must update the bfloat16 copy of the weights
// afterwards.
void adamw_step_on(const std::vector<model::Segment>& segments, model::ParamBuffer& params,
                   const AdamWOptions& options, double lr, std::int64_t step,
                   double gradient_factor);
// Does the same for these parts of the flat buffers only, with the same bits; other gradients stay
// as they are. The caller must update the bfloat16 copy of the weights afterwards.
void adamw_step_of(const std::vector<Range>& parts, model::ParamBuffer& params,
                   const AdamWOptions& options, double lr, std::int64_t step,
                   double gradient_factor);

// Returns the Euclidean norm of all gradients except frozen ones, as a 0-dim float64 tensor.
// Squares are weighted by the segment's lr_scale / eps_scale, so that a clipping threshold means
// the same before and after an exact growth (docs/growth.md).
at::Tensor gradient_norm(model::ParamBuffer& params);
// Returns the same number, to the bit, from gradients that this rank knows in these parts only,
// which begin at multiples of kernels::kSumBlock. sum adds each number over all ranks. Returns
// nothing in fp64 and on a GPU, where the norm is no sum over blocks; the caller then needs the
// whole gradient.
std::optional<double> gradient_norm_of(const std::vector<Range>& parts, model::ParamBuffer& params,
                                       const std::function<void(std::vector<double>&)>& sum);

}  // namespace stagedtrain::train
