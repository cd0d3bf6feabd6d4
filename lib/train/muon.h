// Muon: a momentum whose matrices are made nearly orthogonal before they move the weights.
//
// With the gradient G of an out x in matrix W, in every step (Jordan et al., "Muon: an optimizer
// for hidden layers in neural networks", 2024; as torch.optim.Muon computes it):
//   M = mu M + (1 - mu) G
//   U = (1 - mu) G + mu M with Nesterov's momentum, else M
//   W = (1 - lr * weight_decay) W - lr * scale * orthogonalized(U)
// Where U = P S Q^T, orthogonalized(U) is about P Q^T: its singular values lie between 0.7 and 1.2.
// Neither the size of G nor how long ago M was zero matters, so there are no eps and no bias
// correction. exp_avg holds M, and exp_avg_sq stays as it is (zero).
//
// Growth (docs/growth.md): where a tensor's inputs become c_in copies and its outputs c_out, M
// becomes a tiling whose orthogonalized form is the tiling of the former one / sqrt(c_in c_out).
// The spectral scale, sqrt(out/in), grows by sqrt(c_out/c_in). So the update becomes its tiling /
// c_in, which is how the weights grew, and training and growing commute without any factor. The
// other scales need one, and get it where the growth left scales (dynamics: exact).
//
// Queries, keys and values are matrices of their own here, and are orthogonalized each for itself.
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

// Keeps the memory that a step works in. On a CPU each thread takes whole matrices, which suits
// small ones and makes the results independent of the number of threads, to the bit.
class Muon {
 public:
  explicit Muon(const MuonOptions& options) : options_(options) {}

  // Moves every matrix of params.matrices(), and leaves its gradient at zero. Gradients are
  // multiplied by gradient_factor. step counts from 1; the ramps of regions that a growth zeroed
  // apply, frozen matrices stay. Computes in the type of the weights, but on a GPU in bfloat16
  // where the model does. The 16-bit copy of the weights stays as it was.
  void step(model::ParamBuffer& params, double lr, std::int64_t step, double gradient_factor);

 private:
  // A thread's memory: two matrices and two squares of a shorter side, as large as any.
  struct Rooms {
    at::Tensor matrices[2], squares[2];
  };
  void step_matrix(model::ParamBuffer& params, const model::Matrix& matrix, const Rooms& rooms,
                   double lr, std::int64_t step, double gradient_factor) const;
  void make_rooms(model::ParamBuffer& params);

  MuonOptions options_;
  std::vector<Rooms> rooms_;  // one for each thread
};

// What the update of a matrix is multiplied by.
double muon_scale(schedule::UpdateScale scale, const model::Matrix& matrix);

}  // namespace stagedtrain::train
