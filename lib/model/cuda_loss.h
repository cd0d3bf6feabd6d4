// Computes the classifier's loss with CUDA kernels, without ever holding the logits of all rows.
#pragma once

#include "model/block_ops.h"

namespace stagedtrain::model {

// Implements BlockOps::classifier_loss for float32 and bfloat16. It computes the logits of
// terms.rows_at_once rows at a time, in order, and their gradients right after them.
Loss cuda_classifier_loss(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& targets,
                          const LossTerms& terms);

}  // namespace stagedtrain::model
