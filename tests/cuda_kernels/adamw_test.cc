// AdamW over several steps and the sum of squares, against fp64.
#include "kernels/adamw.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

struct State {
  Floats w, g, m, v;
};

kernels::AdamWStep step_number(int n) {
  kernels::AdamWStep step{3e-3, 0.9, 0.95, 1e-8, 0.1, 0, 0, 0.7};
  step.bias_correction1 = 1 - std::pow(step.beta1, n);
  step.bias_correction2 = 1 - std::pow(step.beta2, n);
  return step;
}

TEST_CASE("ten AdamW steps agree with fp64") {
  const std::int64_t size = GENERATE(1, 16, 1003);
  on_every_target([&] {
    State s{random_floats(size, 1), {}, Floats(size, 0), Floats(size, 0)};
    Doubles w = in_double(s.w), m(size, 0), v(size, 0);
    for (int n = 1; n <= 10; ++n) {
      s.g = random_floats(size, 10 + n, 1e-2f);
      const Floats g = s.g;
      const kernels::AdamWStep step = step_number(n);
      for (std::int64_t i = 0; i < size; ++i) {
        const double gradient = step.gradient_factor * g[i];
        w[i] *= 1 - step.lr * step.weight_decay;
        m[i] = step.beta1 * m[i] + (1 - step.beta1) * gradient;
        v[i] = step.beta2 * v[i] + (1 - step.beta2) * gradient * gradient;
        const double denominator = std::sqrt(v[i]) / std::sqrt(step.bias_correction2) + step.eps;
        w[i] -= step.lr / step.bias_correction1 * m[i] / denominator;
      }
      const bool zero = n % 2 == 0;
      kernels::adamw(step, 0, size, zero, s.w.data(), s.g.data(), s.m.data(), s.v.data());
      CHECK(same_bytes(s.g, zero ? Floats(size, 0) : g));
    }
    CHECK(error_of(s.w, w) < 5e-7);
    CHECK(error_of(s.m, m) < 1e-6);
    CHECK(error_of(s.v, v) < 1e-6);
  });
}

TEST_CASE("AdamW gives the same bytes however elements are split") {
  const std::int64_t size = 517;
  on_every_target([&] {
    State whole{random_floats(size, 1), random_floats(size, 2), random_floats(size, 3),
                Floats(size, 0.5f)};
    State split = whole;
    const auto run = [](State& s, std::int64_t begin, std::int64_t end) {
      kernels::adamw(step_number(3), begin, end, true, s.w.data(), s.g.data(), s.m.data(),
                     s.v.data());
    };
    run(whole, 0, size);
    for (const auto& [begin, end] : {std::pair{300, 517}, std::pair{0, 1}, std::pair{1, 300}})
      run(split, begin, end);
    CHECK(same_bytes(whole.w, split.w));
    CHECK(same_bytes(whole.m, split.m));
    CHECK(same_bytes(whole.v, split.v));
    CHECK(same_bytes(whole.g, split.g));
  });
}

TEST_CASE("the sum of squares is exact to fp64 and keeps tiny and huge values") {
  const std::int64_t size = GENERATE(1, 100, 16384, 40001);
  const float magnitude = GENERATE(1.0f, 1e-25f, 1e25f);
  on_every_target([&] {
    const Floats x = random_floats(size, 1, magnitude);
    const std::int64_t blocks = kernels::num_sum_blocks(size);
    Doubles whole(blocks), split(blocks);
    kernels::sum_of_squares(x.data(), size, 0, blocks, whole.data());
    for (std::int64_t b = blocks; b-- > 0;)
      kernels::sum_of_squares(x.data(), size, b, b + 1, split.data());
    CHECK(same_bytes(whole, split));
    double want = 0, got = 0;
    for (const float value : x) want += static_cast<double>(value) * value;
    for (const double partial : whole) got += partial;
    CHECK(std::abs(got - want) < 1e-12 * want);
  });
}

}  // namespace
}  // namespace stagedtrain::test
