// One optimizer step over the flat buffers.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "dist/sum_order.h"
#include "model/param_buffer.h"

namespace stagedtrain::train {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0.1;
};

// AdamW (Loshchilov and Hutter, arXiv 1711.05101), decoupled decay on the tensors that decay, as
// torch.optim.AdamW. step counts from 1; moments that were zeroed at step s are bias-corrected by
// step - s. Each segment's own scales and ramp apply; frozen and idle ones keep their weights and
// moments. Gradients are multiplied by gradient_factor. Weights, their copy and moments change in
// place; gradients are left at zero, ready for the next batch.
void adamw_step(model::ParamBuffer& params, const AdamWOptions& options, double lr,
                std::int64_t step, double gradient_factor);
// The same for these segments alone; the 16-bit copy of the weights may stay as it was, and the
// caller sees to it.
void adamw_step_on(const std::vector<model::Segment>& segments, model::ParamBuffer& params,
                   const AdamWOptions& options, double lr, std::int64_t step,
                   double gradient_factor);
// The same for these parts of the flat buffers alone, to the same bits; the 16-bit copy of the
// weights stays as it was, and the caller sees to it.
void adamw_step_of(const std::vector<dist::Range>& parts, model::ParamBuffer& params,
                   const AdamWOptions& options, double lr, std::int64_t step,
                   double gradient_factor);

// The Euclidean norm of all gradients but the frozen ones, as a 0-dim float64 tensor on the device.
// Segments with scales of their own count by lr_scale / eps_scale (docs/growth.md: so a threshold
// for clipping means the same before and after an exact growth).
at::Tensor gradient_norm(model::ParamBuffer& params);
// The same number to the bit from gradients that are known in these parts alone, which begin at
// multiples of kernels::kSumBlock; sum adds each number over all who know a part. Nothing where the
// norm is not a plain sum of blocks: then the whole gradient is needed.
std::optional<double> gradient_norm_of(const std::vector<dist::Range>& parts,
                                       model::ParamBuffer& params,
                                       const std::function<void(std::vector<double>&)>& sum);

}  // namespace stagedtrain::train
