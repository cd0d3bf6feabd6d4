// The classifier and its loss by own CUDA kernels, whole logits never held.
#pragma once

#include "model/block_ops.h"

namespace stagedtrain::model {

// BlockOps::classifier_loss; float32 and bfloat16. Logits are made terms.rows_at_once rows at a
// time, and the gradients from them at once, in the order of rows.
Loss cuda_classifier_loss(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& targets,
                          const LossTerms& terms);

}  // namespace stagedtrain::model
