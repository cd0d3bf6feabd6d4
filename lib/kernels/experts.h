// Routes the rows of a batch to experts and back, forward and backward.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Each row goes to k of E experts, so it has k copies: copy r * k + j belongs to the j-th choice of
// row r. The copies are sorted by expert, so that each expert reads adjacent rows; at equal experts
// the order of the rows is kept. M = R * k is the number of copies.
struct Routing {
  std::int64_t experts = 0, chosen_each = 0;  // E, k
  float* logits = nullptr;                    // [R, E], of the router
  float* gates = nullptr;                     // [R, k], the weights of the choices
  std::int32_t* chosen = nullptr;             // [R, k], experts
  std::int32_t* place = nullptr;              // [M], from a copy to its place in the sorted order
  std::int32_t* copy = nullptr;               // [M], from a place to its copy
  std::int64_t* first = nullptr;              // [E + 1], the first place of each expert, and M
  bool normalised = true;                     // the gates of a row sum to 1
};

// Chooses the experts of the k largest logits for rows [begin, end), and among equal logits the
// first. The gates are the softmax over these k logits if they are normalised (Mixtral), else over
// all (OLMoE).
void choose_experts(const Routing& routing, std::int64_t begin, std::int64_t end);
// Computes place, copy and first from chosen, all on one thread.
void sort_copies(const Routing& routing, std::int64_t rows);

// Copies the rows of x [R, width] to places [begin, end) of sorted [M, width].
void gather_rows(const Routing& routing, const float* x, std::int64_t begin, std::int64_t end,
                 std::int64_t width, float* sorted);
// Computes y[r] = scale * (the sum of gate * sorted[place] over the copies of r), for rows [begin,
// end).
void mix_rows(const Routing& routing, const float* sorted, float scale, std::int64_t begin,
              std::int64_t end, std::int64_t width, float* y);
// Adds the sum of sorted[place] over the copies of r to y[r], for rows [begin, end).
void add_copies(const Routing& routing, const float* sorted, std::int64_t begin, std::int64_t end,
                std::int64_t width, float* y);

// The backward pass of the mix, in which each expert's output is multiplied by its gate. On entry
// dy holds the gradient of the mix, gathered by gather_rows().
struct GateStep {
  std::int64_t width = 0, ffn = 0, up_width = 0;
  const float* hidden = nullptr;     // [M, ffn], the inputs of the expert's last product
  const float* dhidden = nullptr;    // [M, ffn], their gradients if every gate were 1
  const float* down_bias = nullptr;  // [width], added by that product, or null
  float scale = 1;                   // multiplies the mix
  float* dy = nullptr;               // [M, width]
  float* dup = nullptr;              // [M, up_width], the gradients that follow from dhidden
  float* dgates = nullptr;           // [M], in sorted order
};
// For places [begin, end): computes dgates, and multiplies dup by the gates, and dy by the gates
// and scale.
void gate_backward(const Routing& routing, const GateStep& step, std::int64_t begin,
                   std::int64_t end);

// Computes the gradients of the router's logits, dlogits [R, E], for rows [begin, end): those of
// the gates, and those of the sum of balance[e] * softmax(logits)[e] if balance is not null.
void router_backward(const Routing& routing, const float* dgates, const float* balance,
                     std::int64_t begin, std::int64_t end, float* dlogits);

}  // namespace stagedtrain::kernels
