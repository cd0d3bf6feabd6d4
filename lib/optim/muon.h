// Muon: orthogonalizes the momentum of each matrix approximately before it moves the weights.
//
// With the gradient G of an out x in matrix W, in every step (Jordan et al., "Muon: an optimizer
// for hidden layers in neural networks", 2024; as torch.optim.Muon computes it):
//   M = mu M + (1 - mu) G
//   U = (1 - mu) G + mu M with Nesterov's momentum, else M
//   W = (1 - lr * weight_decay) W - lr * scale * orthogonalized(U)
// With the singular value decomposition U = P S Q^T, orthogonalized(U) is about P Q^T: its singular
// values lie between 0.7 and 1.2. The result depends neither on the size of G nor on when M was
// last zero, so there is no eps and no bias correction. exp_avg holds M. exp_avg_sq is not used and
// stays zero.
//
// Growth (docs/growth.md): where a tensor's inputs become c_in copies and its outputs c_out, M
// becomes a tiling whose orthogonalized form is the tiling of the former one / sqrt(c_in c_out).
// The spectral scale, sqrt(out/in), grows by sqrt(c_out/c_in). So the update becomes its tiling /
// c_in, which is how the weights grew, and training and growing commute without any factor. The
// other scales need a factor, and get it from the scales that a growth with dynamics: exact leaves.
//
// Query, key and value are separate matrices here, and each is orthogonalized by itself.
#pragma once

#include <vector>

#include "model/param_buffer.h"
#include "schedule/optimizer_spec.h"

namespace stagedtrain::train {

struct MuonOptions {
  double momentum = 0.95;
  bool nesterov = true;
  schedule::UpdateScale update_scale = schedule::UpdateScale::spectral;
  double weight_decay = 0.1;
};

// Keeps the memory that a step works in. On a CPU each thread takes whole matrices. This suits
// small matrices, and makes results independent of the number of threads, to the bit.
class Muon {
 public:
  explicit Muon(const MuonOptions& options) : options_(options) {}

  // Moves every matrix of params.matrices() that is neither frozen nor idle, and sets the gradients
  // of all of them to zero. Gradients are multiplied by gradient_factor first. step counts from 1.
  // Matrices of which a growth zeroed moments have their own learning-rate ramp. Computes in the
  // type of the weights, or in bfloat16 on a GPU if the model does. The caller must update the
  // bfloat16 copy of the weights.
  void step(model::ParamBuffer& params, double lr, std::int64_t step, double gradient_factor);

 private:
  // The buffers of a thread, large enough for any matrix: two matrices, and two squares of the
  // shorter side.
  struct Buffers {
    at::Tensor matrices[2], squares[2];
  };
  void step_matrix(model::ParamBuffer& params, const model::Matrix& matrix, const Buffers& buffers,
                   double lr, std::int64_t step, double gradient_factor) const;
  void make_buffers(model::ParamBuffer& params);

  MuonOptions options_;
  std::vector<Buffers> buffers_;  // one for each thread
};

// Returns the factor of a matrix's update.
double muon_scale(schedule::UpdateScale scale, const model::Matrix& matrix);

}  // namespace stagedtrain::train
