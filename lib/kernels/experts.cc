// Moves rows to the experts that their routers choose, mixes what comes back, and computes the
// gradients of gates and routers. There are few experts, so their loops are scalar.
#include "kernels/experts.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/experts.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

void gather(const Routing& routing, const float* x, std::int64_t begin, std::int64_t end,
            std::int64_t width, float* sorted) {
  for (std::int64_t m = begin; m < end; ++m) {
    const float* row = x + routing.copy[m] / routing.chosen_each * width;
    std::copy(row, row + width, sorted + m * width);
  }
}

void mix(const Routing& routing, const float* sorted, float scale, std::int64_t begin,
         std::int64_t end, std::int64_t width, float* y) {
  const std::int64_t k = routing.chosen_each;
  for (std::int64_t r = begin; r < end; ++r)
    for (std::int64_t j = 0; j < k; ++j) {
      const float* from = sorted + routing.place[r * k + j] * width;
      const Vec gate = set(routing.gates[r * k + j] * scale);
      for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
        const Vec sum = j > 0 ? io.load(y + r * width + c) : zero();
        io.store(hn::MulAdd(io.load(from + c), gate, sum), y + r * width + c);
      });
    }
}

void add_back(const Routing& routing, const float* sorted, std::int64_t begin, std::int64_t end,
              std::int64_t width, float* y) {
  const std::int64_t k = routing.chosen_each;
  for (std::int64_t copy = begin * k; copy < end * k; ++copy) {
    const float* from = sorted + routing.place[copy] * width;
    float* to = y + copy / k * width;
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      io.store(hn::Add(io.load(to + c), io.load(from + c)), to + c);
    });
  }
}

HWY_INLINE float dot(const float* a, const float* b, std::int64_t size) {
  Vec sum = zero();
  for_vectors(0, size, [&](std::int64_t c, auto io) HWY_ATTR {
    sum = hn::MulAdd(io.load(a + c), io.load(b + c), sum);
  });
  return sum_of_lanes(sum);
}
HWY_INLINE void multiply_row(float* row, float factor, std::int64_t size) {
  for_vectors(0, size, [&](std::int64_t c, auto io) HWY_ATTR {
    io.store(hn::Mul(io.load(row + c), set(factor)), row + c);
  });
}

// With y = sum of gate * (W hidden + b), dgate = dy (W hidden + b) = (dy W) hidden + dy b, and dy W
// is dhidden. So the outputs of the experts need not be kept.
void gate_rows(const Routing& routing, const GateStep& s, std::int64_t begin, std::int64_t end) {
  for (std::int64_t m = begin; m < end; ++m) {
    float* dy = s.dy + m * s.width;
    const float gate = routing.gates[routing.copy[m]];
    s.dgates[m] = dot(s.dhidden + m * s.ffn, s.hidden + m * s.ffn, s.ffn);
    if (s.down_bias != nullptr) s.dgates[m] += s.scale * dot(dy, s.down_bias, s.width);
    multiply_row(dy, gate * s.scale, s.width);
    multiply_row(s.dup + m * s.up_width, gate, s.up_width);
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(gather);
HWY_EXPORT(mix);
HWY_EXPORT(add_back);
HWY_EXPORT(gate_rows);

namespace {

// Returns the first of the largest logits that is not among `taken` already chosen ones. If all are
// NaN, it is the first that is left.
std::int32_t next_best(const float* logits, std::int64_t experts, const std::int32_t* chosen,
                       std::int64_t taken) {
  std::int32_t best = -1;
  for (std::int32_t e = 0; e < experts; ++e) {
    if (std::find(chosen, chosen + taken, e) != chosen + taken) continue;
    if (best < 0 || logits[e] > logits[best]) best = e;
  }
  return best;
}

// Writes the gradients of logits from those of their softmax.
void softmax_backward(const float* logits, float largest, const std::vector<float>& slopes,
                      float* dlogits) {
  float sum = 0, mean = 0;
  for (std::size_t e = 0; e < slopes.size(); ++e) {
    dlogits[e] = std::exp(logits[e] - largest);
    sum += dlogits[e];
    mean += dlogits[e] * slopes[e];
  }
  for (std::size_t e = 0; e < slopes.size(); ++e) dlogits[e] *= (slopes[e] - mean / sum) / sum;
}

}  // namespace

void choose_experts(const Routing& routing, std::int64_t begin, std::int64_t end) {
  const std::int64_t k = routing.chosen_each;
  for (std::int64_t r = begin; r < end; ++r) {
    const float* logits = routing.logits + r * routing.experts;
    std::int32_t* chosen = routing.chosen + r * k;
    float* gates = routing.gates + r * k;
    float sum = 0;
    for (std::int64_t j = 0; j < k; ++j) {
      chosen[j] = next_best(logits, routing.experts, chosen, j);
      gates[j] = std::exp(logits[chosen[j]] - logits[chosen[0]]);
      sum += gates[j];
    }
    if (!routing.normalised) {
      sum = 0;
      for (std::int64_t e = 0; e < routing.experts; ++e)
        sum += std::exp(logits[e] - logits[chosen[0]]);
    }
    for (std::int64_t j = 0; j < k; ++j) gates[j] /= sum;
  }
}

void sort_copies(const Routing& routing, std::int64_t rows) {
  const std::int64_t copies = rows * routing.chosen_each;
  std::int64_t* first = routing.first;
  std::fill(first, first + routing.experts + 1, 0);
  for (std::int64_t c = 0; c < copies; ++c) ++first[routing.chosen[c] + 1];
  for (std::int64_t e = 0; e < routing.experts; ++e) first[e + 1] += first[e];
  // first[e] counts up while copies take their places, and is shifted back at the end
  for (std::int64_t c = 0; c < copies; ++c) {
    const std::int64_t place = first[routing.chosen[c]]++;
    routing.place[c] = static_cast<std::int32_t>(place);
    routing.copy[place] = static_cast<std::int32_t>(c);
  }
  std::copy_backward(first, first + routing.experts, first + routing.experts + 1);
  first[0] = 0;
}

void gather_rows(const Routing& routing, const float* x, std::int64_t begin, std::int64_t end,
                 std::int64_t width, float* sorted) {
  HWY_DYNAMIC_DISPATCH(gather)(routing, x, begin, end, width, sorted);
}

void mix_rows(const Routing& routing, const float* sorted, float scale, std::int64_t begin,
              std::int64_t end, std::int64_t width, float* y) {
  HWY_DYNAMIC_DISPATCH(mix)(routing, sorted, scale, begin, end, width, y);
}

void add_copies(const Routing& routing, const float* sorted, std::int64_t begin, std::int64_t end,
                std::int64_t width, float* y) {
  HWY_DYNAMIC_DISPATCH(add_back)(routing, sorted, begin, end, width, y);
}

void gate_backward(const Routing& routing, const GateStep& step, std::int64_t begin,
                   std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(gate_rows)(routing, step, begin, end);
}

// The Jacobian of a softmax p is diag(p) - p p^T. slopes holds the gradients of p over all experts,
// which are those of gates that are not normalised, and of the balance.
void router_backward(const Routing& routing, const float* dgates, const float* balance,
                     std::int64_t begin, std::int64_t end, float* dlogits) {
  const std::int64_t experts = routing.experts, k = routing.chosen_each;
  std::vector<float> slopes(static_cast<std::size_t>(experts));
  for (std::int64_t r = begin; r < end; ++r) {
    const float *logits = routing.logits + r * experts, *gates = routing.gates + r * k;
    const std::int32_t* chosen = routing.chosen + r * k;
    const auto dgate = [&](std::int64_t j) { return dgates[routing.place[r * k + j]]; };
    float* dlogit = dlogits + r * experts;
    if (balance != nullptr)
      std::copy(balance, balance + experts, slopes.begin());
    else
      std::fill(slopes.begin(), slopes.end(), 0.0f);
    for (std::int64_t j = 0; j < k && !routing.normalised; ++j)
      slopes[static_cast<std::size_t>(chosen[j])] += dgate(j);
    softmax_backward(logits, logits[chosen[0]], slopes, dlogit);
    if (!routing.normalised) continue;
    float mean = 0;
    for (std::int64_t j = 0; j < k; ++j) mean += gates[j] * dgate(j);
    for (std::int64_t j = 0; j < k; ++j) dlogit[chosen[j]] += gates[j] * (dgate(j) - mean);
  }
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
