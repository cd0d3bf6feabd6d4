// Bias + GELU and its backward against the formula in fp64.
#include "kernels/gelu.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

const double kRoot = std::sqrt(2 / std::acos(-1.0));

double gelu(double u) { return 0.5 * u * (1 + std::tanh(kRoot * (u + 0.044715 * u * u * u))); }

double gelu_slope(double u) {
  const double t = std::tanh(kRoot * (u + 0.044715 * u * u * u));
  return 0.5 * (1 + t) + 0.5 * u * (1 - t * t) * kRoot * (1 + 3 * 0.044715 * u * u);
}

TEST_CASE("gelu and its slope are within 3e-7 of fp64 from -60 to 60") {
  const std::int64_t size = 240001;
  Floats u(size), ones(size, 1.0f);
  for (std::int64_t i = 0; i < size; ++i) u[i] = static_cast<float>(i - size / 2) / 2000;
  on_every_target([&] {
    Floats a(size), du(size);
    kernels::bias_gelu(u.data(), nullptr, 0, 1, size, nullptr, a.data());
    kernels::gelu_backward(ones.data(), u.data(), 0, 1, size, du.data(), nullptr, nullptr);
    double forward = 0, backward = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      const double x = u[i];
      forward = std::max(forward, std::abs(a[i] - gelu(x)) / std::max(1.0, std::abs(x)));
      backward = std::max(backward, std::abs(du[i] - gelu_slope(x)));
    }
    CHECK(forward < 3e-7);
    CHECK(backward < 3e-7);
  });
}

TEST_CASE("gelu passes infinities and NaN on as fp64 would") {
  const Floats u = {INFINITY, NAN, 1e30f, -1e30f};
  on_every_target([&] {
    Floats a(4);
    kernels::bias_gelu(u.data(), nullptr, 0, 1, 4, nullptr, a.data());
    CHECK(a[0] == INFINITY);
    CHECK(std::isnan(a[1]));
    CHECK(a[2] == 1e30f);
    CHECK(std::abs(a[3]) < 1e-6f);
  });
}

TEST_CASE("bias and gelu work on the rows of the range, in place or not") {
  const std::int64_t rows = 6, width = GENERATE(1, 7, 16, 33, 512);
  on_every_target([&] {
    const Floats h = random_floats(rows * width, 1, 2), bias = random_floats(width, 2);
    Doubles want(rows * width, 0);
    for (std::int64_t i = width; i < 5 * width; ++i) want[i] = gelu(h[i] + bias[i % width]);
    Floats u(rows * width, 0), a(rows * width, 0), in_place = h, kept = h, over = h;
    kernels::bias_gelu(h.data(), bias.data(), 1, 5, width, u.data(), a.data());
    CHECK(error_of(a, want) < 3e-7);
    CHECK(u[width] == h[width] + bias[0]);
    Floats again(rows * width, 0);
    kernels::bias_gelu(in_place.data(), bias.data(), 1, 5, width, in_place.data(), again.data());
    CHECK(same_bytes(again, a));
    kernels::bias_gelu(over.data(), bias.data(), 1, 5, width, nullptr, over.data());
    CHECK(std::memcmp(over.data() + width, a.data() + width, 4 * width * sizeof(float)) == 0);
    CHECK(over[0] == h[0]);
  });
}

TEST_CASE("gelu backward gives du, the bias gradient and the activation again") {
  const std::int64_t rows = GENERATE(1, 4, 11), width = GENERATE(1, 16, 45);
  on_every_target([&] {
    const Floats da = random_floats(rows * width, 3), u = random_floats(rows * width, 4, 2);
    Doubles want_du(rows * width), want_bias(width, 0.5), want_a(rows * width);
    for (std::int64_t i = 0; i < rows * width; ++i) {
      want_du[i] = da[i] * gelu_slope(u[i]);
      want_a[i] = gelu(u[i]);
      want_bias[i % width] += want_du[i];
    }
    Floats du = da, dbias(width, 0.5f), a(rows * width);
    kernels::gelu_backward(du.data(), u.data(), 0, rows, width, du.data(), dbias.data(), a.data());
    CHECK(error_of(du, want_du) < 5e-7);
    CHECK(error_of(a, want_a) < 3e-7);
    CHECK(error_of(dbias, want_bias) < 1e-6);
    Floats only(rows * width);
    kernels::gelu_backward(da.data(), u.data(), 0, rows, width, only.data(), nullptr, nullptr);
    CHECK(same_bytes(only, du));
  });
}

}  // namespace
}  // namespace stagedtrain::test
