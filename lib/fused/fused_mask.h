// Applies a growth mask (reference_mask.h) to the fused model, by folding it into the weights.
//
// A factor of the embeddings, of the outputs of branches, of heads or of hidden units is a factor
// of rows or columns of the weight next to it, and a factor of a norm's output is one of its gain
// and bias. So the masked model is a plain model with other weights, whose gradients are those of
// the real weights after multiplication by the same factors. Only the means in norms differ, by
// their weights.
#pragma once

#include <vector>

#include "fused/fused_tensors.h"
#include "kernels/norm_mean.h"
#include "model/model.h"

namespace stagedtrain::model {

// The factors of one mask.
class FusedMask {
 public:
  FusedMask(const arch::ModelConfig& config, const ModelMask& mask);
  kernels::NormMean norm_mean() const { return {residual_.data(), total_}; }

 private:
  friend class MaskedTensors;
  using Factors = std::vector<float>;
  Factors residual_, heads_, ffn_;
  Factors residual_squared_;
  Factors of_tokens_, of_positions_, of_width_, of_vector_{1};  // ones
  std::int64_t old_layers_ = 0;
  float visible_ = 1, total_ = 0;
  bool norms_after_ = false;
};

// The masked copies of a pass. It must outlive the pass, and the mask must outlive it.
class MaskedTensors {
 public:
  // Replaces the tensors that the mask reaches by copies, and their gradients by zeros, except
  // where they are null.
  MaskedTensors(const FusedMask& mask, FusedTensors& weights, FusedTensors& grads);
  // Adds what the pass has added to the zeros to the real gradients.
  void add_gradients() const;

 private:
  struct Copy {
    std::vector<float> weight, gradient;
    float* to;  // the real gradient, or null
    const std::vector<float>&rows, &columns;
    float scale;
  };
  void fold(float*& weight, float*& gradient, const std::vector<float>& rows,
            const std::vector<float>& columns, float scale = 1);
  std::vector<Copy> copies_;
};

}  // namespace stagedtrain::model
