// Computes cross-entropy and replaces the logits by their gradient, with one block of threads for
// each row.
#include "cuda_kernels/device.h"

namespace stagedtrain::kernels::cuda {
namespace {

// Reads the logits once. Each thread keeps its largest value, and its sum of exp relative to it.
template <class T>
__device__ inline float log_sum_exp(const T* logits, std::int64_t vocab, float scale) {
  float largest = -INFINITY, sum = 0;
  for (std::int64_t c = threadIdx.x; c < vocab; c += kThreads) {
    const float s = scale * widen(logits[c]);
    if (s > largest) {
      sum *= expf(largest - s);
      largest = s;
    }
    sum += expf(s - largest);
  }
  const float top = block_max(largest);
  return top + logf(block_sum(sum > 0 ? sum * expf(largest - top) : 0));
}

template <class T>
__global__ void cross_entropy_rows(CrossEntropy<T> a) {
  const std::int64_t row = blockIdx.x, target = a.targets[row];
  T* const logits = a.logits + row * a.vocab;
  const float lse = log_sum_exp(logits, a.vocab, a.logit_scale);
  if (threadIdx.x == 0) {
    a.losses[row] = lse - a.logit_scale * widen(logits[target]);
    a.squares[row] = lse * lse;
  }
  if (a.gradient == 0) return;
  __syncthreads();  // wait until the target's logit was read
  const float slope = a.gradient * a.logit_scale, pull = 1 + 2 * a.z_loss * lse;
  for (std::int64_t c = threadIdx.x; c < a.vocab; c += kThreads) {
    const float p = expf(a.logit_scale * widen(logits[c]) - lse) * pull;
    logits[c] = narrow<T>(slope * (c == target ? p - 1 : p));
  }
}

}  // namespace

template <class T>
void cross_entropy(const CrossEntropy<T>& a, void* stream) {
  ST_LAUNCH(cross_entropy_rows<T>, static_cast<unsigned>(a.rows), kThreads, stream, a);
}

template void cross_entropy(const CrossEntropy<float>&, void*);
template void cross_entropy(const CrossEntropy<BFloat16>&, void*);

}  // namespace stagedtrain::kernels::cuda
