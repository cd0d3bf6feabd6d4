// Replaces the CUDA kernels in builds without nvcc: built() reports that there are none, so none is
// launched.
#include <cstdlib>

#include "cuda_kernels/launch.h"

namespace stagedtrain::kernels::cuda {

Built built() { return Built::absent; }

#define ST_ABSENT(function, Arrays)                    \
  template <class T>                                   \
  void function(const Arrays<T>&, void*) {             \
    std::abort();                                      \
  }                                                    \
  template void function(const Arrays<float>&, void*); \
  template void function(const Arrays<BFloat16>&, void*)

ST_ABSENT(add_norm, AddNorm);
ST_ABSENT(add_norm_backward, AddNormBackward);
ST_ABSENT(bias_gelu, BiasGelu);
ST_ABSENT(bias_gelu_backward, BiasGeluBackward);
ST_ABSENT(swiglu, SwiGlu);
ST_ABSENT(swiglu_backward, SwiGluBackward);
ST_ABSENT(cross_entropy, CrossEntropy);

void adamw(const AdamWStep&, const AdamWArrays&, void*) { std::abort(); }
void sum_of_squares(const float*, std::int64_t, double*, void*) { std::abort(); }

}  // namespace stagedtrain::kernels::cuda
