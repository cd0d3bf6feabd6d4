// Computes logits, loss and gradients of the classifier chunk by chunk.
//
// For each chunk of n rows: logits = x W^T; the kernel computes the losses and overwrites the
// logits with their gradient; then dx = dlogits W and dW += dlogits^T x. So one buffer [n, V]
// replaces the logits [N, V] and their gradient.
//
// The gradients are computed in forward, where the logits exist, and backward only returns them. So
// backward ignores its incoming gradient, which must be 1; terms.scale takes its place. dW
// accumulates in the type of the weight, so in bfloat16 it is rounded once more for each chunk.
#include "model/cuda_loss.h"

#include <torch/csrc/autograd/custom_function.h>

#include "model/cuda_arrays.h"

namespace stagedtrain::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

// Shapes: N rows, C width, V vocab, n rows of a chunk.
struct Chunks {
  at::Tensor x_NC, weight_VC, targets_N;
  LossTerms terms;
  at::Tensor losses_N, squares_N, dx_NC, dweight_VC;

  void make() {
    const std::int64_t rows = x_NC.size(0), vocab = weight_VC.size(0);
    const std::int64_t asked = terms.rows_at_once > 0 ? terms.rows_at_once : rows_of_logits(vocab);
    const at::Tensor logits_nV = at::empty({std::min(asked, rows), vocab}, x_NC.options());
    for (std::int64_t first = 0; first < rows; first += asked) {
      const std::int64_t count = std::min(asked, rows - first);
      add(logits_nV.narrow(0, 0, count), first, count);
    }
  }

 private:
  void add(at::Tensor logits_nV, std::int64_t first, std::int64_t count) {
    const at::Tensor x_nC = x_NC.narrow(0, first, count);
    at::mm_out(logits_nV, x_nC, weight_VC.t());
    write_gradient(logits_nV, first);
    at::Tensor dx_nC = dx_NC.narrow(0, first, count);
    at::mm_out(dx_nC, logits_nV, weight_VC);
    dweight_VC.addmm_(logits_nV.t(), x_nC, first > 0 ? 1 : 0);
  }

  // Writes the losses of these rows and replaces their logits by the gradient.
  void write_gradient(const at::Tensor& logits_nV, std::int64_t first) {
    const double gradient = terms.scale / static_cast<double>(x_NC.size(0));
    with_type_of(logits_nV, [&]<class T>(T) {
      kernels::cuda::cross_entropy<T>(
          {written_by<T>(logits_nV), targets_N.const_data_ptr<std::int64_t>() + first,
           written_by<float>(losses_N) + first, written_by<float>(squares_N) + first,
           logits_nV.size(0), logits_nV.size(1), static_cast<float>(terms.logit_scale),
           static_cast<float>(terms.z_loss), static_cast<float>(gradient)},
          stream_of(logits_nV));
    });
  }
};

struct ClassifierLoss : Function<ClassifierLoss> {
  static tensor_list forward(AutogradContext* context, const at::Tensor& x,
                             const at::Tensor& weight, const at::Tensor& targets,
                             const LossTerms& terms) {
    Chunks chunks{x.contiguous(),         weight,
                  targets.contiguous(),   terms,
                  floats(x, {x.size(0)}), floats(x, {x.size(0)}),
                  at::empty_like(x),      at::empty_like(weight)};
    chunks.make();
    context->saved_data["dx"] = chunks.dx_NC;
    context->saved_data["dweight"] = chunks.dweight_VC;
    const at::Tensor mean = chunks.losses_N.mean();
    context->mark_non_differentiable({mean});
    return {mean, (mean + terms.z_loss * chunks.squares_N.mean()) * terms.scale};
  }

  static tensor_list backward(AutogradContext* context, tensor_list) {
    return {context->saved_data["dx"].toTensor(), context->saved_data["dweight"].toTensor(),
            at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Loss cuda_classifier_loss(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& targets,
                          const LossTerms& terms) {
  const tensor_list made = ClassifierLoss::apply(x, weight, targets, terms);
  return {made[0].detach(), made[1]};
}

}  // namespace stagedtrain::model
