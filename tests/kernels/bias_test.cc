// Column sums and partial sums against plain fp64 loops.
#include "kernels/bias.h"

#include "kernels/kernel_support.h"
#include "kernels/partial_sums.h"

namespace stagedtrain::test {
namespace {

TEST_CASE("a bias gradient is the sum of the rows") {
  const std::int64_t rows = GENERATE(1, 8, 29, 2048), width = GENERATE(1, 5, 16, 100);
  on_every_target([&] {
    const Floats dy = random_floats(rows * width, 3), start = random_floats(width, 4);
    Doubles want = in_double(start);
    for (std::int64_t i = 0; i < rows * width; ++i) want[i % width] += dy[i];
    Floats got = start;
    kernels::bias_backward(dy.data(), 0, rows, width, got.data());
    CHECK(error_of(got, want) < 1e-6);
  });
}

TEST_CASE("partial sums are added in the same way however columns are split") {
  const std::int64_t count = GENERATE(1, 2, 11), width = 53, stride = 64;
  on_every_target([&] {
    const Floats partials = random_floats(count * stride, 5), start = random_floats(width, 6);
    Doubles want = in_double(start);
    for (std::int64_t p = 0; p < count; ++p)
      for (std::int64_t c = 0; c < width; ++c) want[c] += partials[p * stride + c];
    Floats whole = start, split = start;
    kernels::add_partial_sums(partials.data(), count, stride, 0, width, whole.data());
    kernels::add_partial_sums(partials.data(), count, stride, 0, 19, split.data());
    kernels::add_partial_sums(partials.data(), count, stride, 19, width, split.data());
    CHECK(error_of(whole, want) < 1e-6);
    CHECK(same_bytes(whole, split));
  });
}

}  // namespace
}  // namespace stagedtrain::test
