// SwiGLU and its backward against the formula in fp64.
#include "kernels/swiglu.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

TEST_CASE("SwiGLU and its gradients are those of fp64, far from zero too") {
  const std::int64_t rows = 5, width = GENERATE(1, 16, 45);
  const float spread = GENERATE(1.0f, 40.0f);
  const Floats gate_up = random_floats(rows * 2 * width, 1, spread),
               da = random_floats(rows * width, 2);
  Doubles a(rows * width), dgate_up(rows * 2 * width);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t gate = r * 2 * width + c, up = gate + width, at = r * width + c;
      const double g = gate_up[gate], s = 1 / (1 + std::exp(-g));
      a[at] = g * s * gate_up[up];
      dgate_up[gate] = da[at] * gate_up[up] * (s + g * s * (1 - s));
      dgate_up[up] = da[at] * g * s;
    }
  on_every_target([&] {
    Floats got(rows * width), again(rows * width), gradient(rows * 2 * width);
    kernels::swiglu(gate_up.data(), 0, 2, width, got.data());
    kernels::swiglu(gate_up.data(), 2, rows, width, got.data());
    CHECK(error_of(got, a) < 5e-7);
    kernels::swiglu_backward(da.data(), gate_up.data(), 0, rows, width, gradient.data(),
                             again.data());
    CHECK(error_of(gradient, dgate_up) < 1e-6);
    CHECK(error_of(again, a) < 5e-7);
  });
}

}  // namespace
}  // namespace stagedtrain::test
