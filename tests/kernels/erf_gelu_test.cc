// GELU with the error function, and its gradient, against fp64.
#include "kernels/erf_gelu.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {

TEST_CASE("erf GELU and its gradient are those of fp64, far from zero too") {
  const std::int64_t rows = 5, width = GENERATE(1, 16, 45);
  const float spread = GENERATE(1.0f, 20.0f);
  const Floats u = random_floats(rows * width, 1, spread), da = random_floats(rows * width, 2);
  Doubles a(rows * width), du(rows * width);
  for (std::int64_t i = 0; i < rows * width; ++i) {
    const double x = u[i], cdf = std::erfc(-x / std::sqrt(2.0)) / 2;
    a[i] = x * cdf;
    du[i] = da[i] * (cdf + x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)));
  }
  on_every_target([&] {
    Floats got(rows * width), again(rows * width), gradient = da;
    kernels::erf_gelu(u.data(), 0, 2, width, got.data());
    kernels::erf_gelu(u.data(), 2, rows, width, got.data());
    CHECK(error_of(got, a) < 5e-7);
    kernels::erf_gelu_backward(gradient.data(), u.data(), 0, rows, width, gradient.data(),
                               again.data());
    CHECK(error_of(gradient, du) < 1e-6);
    CHECK(same_bytes(again, got));
  });
}

}  // namespace stagedtrain::test
