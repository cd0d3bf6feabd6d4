// Products with a packed side against plain fp64 loops, and that cuts do not change a bit.
#include "products/packed_product.h"

#include "kernels/gelu.h"
#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

using kernels::Factor;

// Elements of a [depth, columns] factor of either form.
Doubles wanted_product(const Floats& a, const Floats& b, bool transposed, std::int64_t rows,
                       std::int64_t columns, std::int64_t depth) {
  Doubles c(static_cast<std::size_t>(rows * columns));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t k = 0; k < columns; ++k)
      for (std::int64_t p = 0; p < depth; ++p)
        c[r * columns + k] +=
            static_cast<double>(a[r * depth + p]) * b[transposed ? k * depth + p : p * columns + k];
  return c;
}

Floats packed(const Floats& b, bool transposed, std::int64_t depth, std::int64_t columns) {
  Floats result(static_cast<std::size_t>(kernels::packed_size(depth, columns)), NAN);
  const Factor factor{b.data(), transposed ? depth : columns, transposed};
  for (std::int64_t c = 0; c < columns; c += kernels::kPackGrain)
    kernels::pack(factor, depth, c, std::min(columns, c + kernels::kPackGrain), result.data());
  return result;
}

TEST_CASE("a product with a packed side is that of fp64, for every size and form") {
  const bool transposed = GENERATE(false, true);
  const std::int64_t rows = GENERATE(1, 7, 50, 200), columns = GENERATE(1, 15, 16, 40, 70),
                     depth = GENERATE(1, 6, 67);
  const Floats a = random_floats(rows * depth, 1), b = random_floats(depth * columns, 2);
  const Doubles want = wanted_product(a, b, transposed, rows, columns, depth);
  on_every_target([&] {
    const Floats packed_b = packed(b, transposed, depth, columns);
    Floats c(static_cast<std::size_t>(rows * columns), NAN), cut = c;
    kernels::PackedProduct product{depth,           columns,  a.data(), depth,
                                   packed_b.data(), c.data(), columns};
    kernels::multiply(product, 0, rows);
    CHECK(error_of(c, want) < 2e-6);
    product.c = cut.data();
    kernels::multiply(product, 0, rows / 3);
    kernels::multiply(product, rows / 3, rows);
    CHECK(same_bytes(c, cut));
  });
}

TEST_CASE("scale, bias, addition and GELU come after the product") {
  const std::int64_t rows = 11, columns = GENERATE(16, 37), depth = 9;
  const Floats a = random_floats(rows * depth, 3), b = random_floats(depth * columns, 4);
  const Floats bias = random_floats(columns, 5), before = random_floats(rows * columns, 6);
  Doubles want = wanted_product(a, b, true, rows, columns, depth);
  for (std::size_t i = 0; i < want.size(); ++i)
    want[i] = want[i] * 0.5 + bias[i % columns] + before[i];
  on_every_target([&] {
    const Floats packed_b = packed(b, true, depth, columns);
    Floats c = before, gelu(c.size()), again(c.size());
    kernels::multiply({depth, columns, a.data(), depth, packed_b.data(), c.data(), columns, 0.5f,
                       true, bias.data(), gelu.data()},
                      0, rows);
    CHECK(error_of(c, want) < 2e-6);
    kernels::bias_gelu(c.data(), nullptr, 0, rows, columns, nullptr, again.data());
    CHECK(same_bytes(gelu, again));
  });
}

TEST_CASE("an outer product is added to, and cutting it into blocks changes no bit") {
  const std::int64_t rows = GENERATE(1, 9, 600), outs = GENERATE(1, 14, 65), ins = GENERATE(3, 100);
  const Floats dy = random_floats(rows * outs, 7), x = random_floats(rows * ins, 8);
  const Floats before = random_floats(outs * ins, 9);
  Doubles want = in_double(before);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t i = 0; i < outs * ins; ++i)
      want[i] += 0.5 * dy[r * outs + i / ins] * x[r * ins + i % ins];
  on_every_target([&] {
    Floats scratch(static_cast<std::size_t>(kernels::outer_product_scratch())), whole = before,
                                                                                cut = before;
    kernels::OuterProduct product{rows, dy.data(), outs, x.data(), ins, whole.data(), 0.5f};
    kernels::add_outer_product(product, {0, outs}, {0, ins}, scratch.data());
    CHECK(error_of(whole, want) < 3e-6);
    product.dw = cut.data();
    const std::int64_t o = outs / 2, i = ins > 32 ? 64 : ins;
    for (const kernels::IndexRange os : {kernels::IndexRange{0, o}, kernels::IndexRange{o, outs}})
      for (const kernels::IndexRange is : {kernels::IndexRange{i, ins}, kernels::IndexRange{0, i}})
        kernels::add_outer_product(product, os, is, scratch.data());
    CHECK(same_bytes(whole, cut));
  });
}

}  // namespace
}  // namespace stagedtrain::test
