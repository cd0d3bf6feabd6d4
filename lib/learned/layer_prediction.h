// Predicts the matrices of new layers from those of a model's layers (LESA, arXiv 2502.13794).
//
// The matrices W_1 ... W_L of one kind, side by side, have the thin singular value decomposition
//   [W_1 ... W_L] = U S [V_1^T ... V_L^T]
// so all layers share the directions U S, and layer i differs by V_i^T (rank x columns) alone. A
// small network learns to predict each row of V_i^T from the same rows of V_(i-1)^T and V_(i+1)^T,
// over all layers that have two neighbours. The new layer between layers i and i + 1 is
//   W = U S P^T,   P^T = (V_i^T + V_(i+1)^T) / 2 + network(V_i^T, V_(i+1)^T)
//
// As in the paper's code, the network has two hidden layers of 256 units with ReLU, and is trained
// by Adam at 1e-3 for 10 epochs, in batches of 64 rows, on (1 - 5e-4) times the mean square of the
// error and 5e-4 times the square of the difference between the norms of both batches.
//
// Differences from the paper, whose network predicts P^T itself:
// - It predicts the deviation from the mean of the neighbours, and its last layer begins at zero.
//   So what it has not learned is the mean (new_layers: mean), not a matrix near zero. It is not
//   trained where the mean is right but for rounding: where layers are equal, or change linearly
//   with depth.
// - Rows are multiplied by sqrt(L columns), which makes their entries about 1, as the network's
//   initial weights and Adam's rate expect.
// - Directions that only rounding spans are left out: their rows would be random numbers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stagedtrain::grow {

// The matrices of one kind, one for each layer from the lowest, in row-major order.
struct LayerMatrices {
  std::int64_t rows = 0, columns = 0;
  std::vector<std::vector<double>> layers;
};

// Returns, for each of these layers, the matrix that is predicted between it and the one above.
// `epsilon` is the relative precision of the entries. The result depends on the arguments alone.
// With fewer than three layers there is nothing to learn from, and it is the mean of the two.
// Requires that every layer of `below` has one above it. Polls for a stop request.
std::vector<std::vector<double>> predicted_layers(const LayerMatrices& matrices,
                                                  std::span<const std::int64_t> below,
                                                  double epsilon, std::uint64_t seed);

}  // namespace stagedtrain::grow
