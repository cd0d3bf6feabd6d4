// Rotation of heads by their position against fp64, and back again.
#include "kernels/rotary.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

TEST_CASE("heads turn by their row's position, the others stay, and turning back undoes it") {
  const std::int64_t length = 3, sequences = 2, heads = 2, dim = GENERATE(2, 6, 32), others = 5;
  const std::int64_t turned = GENERATE(0, 2) == 0 ? dim : dim / 4 * 2;
  const std::int64_t rows = sequences * length, half = turned / 2, stride = heads * dim + others;
  Floats cos(length * half), sin(length * half);
  for (std::int64_t i = 0; i < length * half; ++i) {
    cos[i] = static_cast<float>(std::cos(0.3 * static_cast<double>(i)));
    sin[i] = static_cast<float>(std::sin(0.3 * static_cast<double>(i)));
  }
  const Floats x = random_floats(rows * stride, 1);
  Doubles want = in_double(x);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t i = 0; i < half; ++i) {
        const std::int64_t a = r * stride + h * dim + i, b = a + half, t = r % length * half + i;
        want[a] = double(x[a]) * cos[t] - double(x[b]) * sin[t];
        want[b] = double(x[b]) * cos[t] + double(x[a]) * sin[t];
      }
  on_every_target([&] {
    const kernels::Rotation rotation{cos.data(), sin.data(), length, heads, dim, turned, stride};
    Floats got = x;
    kernels::rotate(rotation, 0, 4, false, got.data());
    kernels::rotate(rotation, 4, rows, false, got.data());
    CHECK(error_of(got, want) < 3e-7);
    kernels::rotate(rotation, 0, rows, true, got.data());
    CHECK(error_of(got, in_double(x)) < 1e-6);
  });
}

}  // namespace
}  // namespace stagedtrain::test
