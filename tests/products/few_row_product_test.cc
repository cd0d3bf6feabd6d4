// Products of few rows against plain fp64 loops, and that neither rows nor cuts change a bit.
#include "products/few_row_product.h"

#include <bit>

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

using kernels::FewRowProduct;

std::vector<std::uint16_t> bits_of_bfloat16(const Floats& values) {
  std::vector<std::uint16_t> bits;
  for (const float value : values)
    bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
  return bits;
}

Floats rounded_down(const Floats& values) {
  Floats rounded;
  for (const std::uint16_t bits : bits_of_bfloat16(values))
    rounded.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
  return rounded;
}

TEST_CASE("a product of few rows is that of fp64, in both types of the weight") {
  const std::int64_t rows = GENERATE(1, 2, 3, 4), ins = GENERATE(1, 7, 16, 50, 192, 579),
                     outs = GENERATE(1, 13);
  const bool narrow = GENERATE(false, true), biased = GENERATE(false, true);
  const Floats x = random_floats(rows * ins, 1), bias = random_floats(outs, 3);
  const Floats w = rounded_down(random_floats(outs * ins, 2));
  const std::vector<std::uint16_t> w_bits = bits_of_bfloat16(w);
  Doubles want;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t o = 0; o < outs; ++o) {
      double sum = biased ? bias[o] : 0;
      for (std::int64_t i = 0; i < ins; ++i)
        sum += static_cast<double>(x[r * ins + i]) * w[o * ins + i];
      want.push_back(sum);
    }
  on_every_target([&] {
    Floats y(static_cast<std::size_t>(rows * outs), NAN), cut = y;
    FewRowProduct product{rows,
                          ins,
                          outs,
                          x.data(),
                          narrow ? nullptr : w.data(),
                          narrow ? w_bits.data() : nullptr,
                          biased ? bias.data() : nullptr,
                          y.data()};
    kernels::multiply_few_rows(product, 0, outs);
    CHECK(error_of(y, want) < 2e-6);
    product.y = cut.data();
    kernels::multiply_few_rows(product, outs / 2, outs);
    kernels::multiply_few_rows(product, 0, outs / 2);
    CHECK(same_bytes(y, cut));
    for (std::int64_t r = 0; r < rows; ++r) {
      product.rows = 1;
      product.x = x.data() + r * ins;
      Floats alone(static_cast<std::size_t>(outs), NAN);
      product.y = alone.data();
      kernels::multiply_few_rows(product, 0, outs);
      CHECK(same_bytes(alone, Floats(y.begin() + r * outs, y.begin() + (r + 1) * outs)));
    }
  });
}

}  // namespace
}  // namespace stagedtrain::test
