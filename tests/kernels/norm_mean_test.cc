// Norms whose means have weights, against fp64, and their gradients against differences in fp64.
#include "kernels/norm_mean.h"

#include "kernels/kernel_support.h"
#include "kernels/layer_norm.h"
#include "kernels/rms_norm.h"

namespace stagedtrain::test {
namespace {

constexpr std::int64_t kRows = 3;
constexpr double kEps = 1e-3;

struct Case {
  std::int64_t width;
  bool layer;  // LayerNorm, else RMSNorm
  Floats x, branch, gamma, beta, dy, weights;
  kernels::NormMean mean;

  Case(std::int64_t w, bool is_layer)
      : width(w),
        layer(is_layer),
        x(random_floats(kRows * w, 1)),
        branch(random_floats(kRows * w, 2)),
        gamma(random_floats(w, 3)),
        beta(is_layer ? random_floats(w, 4) : Floats(w)),
        dy(random_floats(kRows * w, 5)),
        weights(w, 1) {
    for (std::int64_t c = w / 2; c < w; ++c) weights[c] = 0.25f;
    mean = {weights.data(), 0};
    for (const float weight : weights) mean.total += weight;
  }

  Doubles normed(const Doubles& sum) const {
    Doubles y(sum.size());
    for (std::int64_t r = 0; r < kRows; ++r) {
      const auto weighted = [&](const auto& value) {
        double total = 0;
        for (std::int64_t c = 0; c < width; ++c) total += weights[c] * value(sum[r * width + c]);
        return total / mean.total;
      };
      const double m = layer ? weighted([](double v) { return v; }) : 0;
      const double variance = weighted([&](double v) { return (v - m) * (v - m); });
      for (std::int64_t c = 0; c < width; ++c)
        y[r * width + c] =
            (sum[r * width + c] - m) / std::sqrt(variance + kEps) * gamma[c] + beta[c];
    }
    return y;
  }
};

}  // namespace

TEST_CASE("norms weigh the entries in their means, forward and backward") {
  const Case k(GENERATE(4, 16, 45), GENERATE(true, false));
  Doubles sum = in_double(k.x), dx(k.x.size());
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += k.branch[i];
  const Doubles y = k.normed(sum);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const auto objective = [&](double move) {
      Doubles moved = sum;
      moved[i] += move;
      const Doubles outputs = k.normed(moved);
      double total = 0;
      for (std::size_t j = 0; j < outputs.size(); ++j) total += outputs[j] * k.dy[j];
      return total;
    };
    dx[i] = (objective(1e-5) - objective(-1e-5)) / 2e-5;
  }
  on_every_target([&] {
    const std::int64_t size = kRows * k.width;
    Floats added(size), got(size), alone(size), mean(kRows), rstd(kRows), back(size);
    Floats dgamma(k.width), dbeta(k.width);
    if (k.layer) {
      kernels::residual_layer_norm(k.x.data(), k.branch.data(), nullptr, k.gamma.data(),
                                   k.beta.data(), kEps, 0, kRows, k.width, added.data(), got.data(),
                                   mean.data(), rstd.data(), k.mean);
      kernels::layer_norm(added.data(), k.gamma.data(), k.beta.data(), kEps, 0, kRows, k.width,
                          alone.data(), mean.data(), rstd.data(), k.mean);
      kernels::layer_norm_backward(k.dy.data(), added.data(), mean.data(), rstd.data(),
                                   k.gamma.data(), 0, kRows, k.width, true, back.data(),
                                   {dgamma.data(), dbeta.data(), nullptr}, k.mean);
    } else {
      kernels::residual_rms_norm(k.x.data(), k.branch.data(), k.gamma.data(), kEps, 0, kRows,
                                 k.width, added.data(), got.data(), rstd.data(), k.mean);
      kernels::rms_norm(added.data(), k.gamma.data(), kEps, 0, kRows, k.width, alone.data(),
                        rstd.data(), k.mean);
      kernels::rms_norm_backward(k.dy.data(), added.data(), rstd.data(), k.gamma.data(), 0, kRows,
                                 k.width, true, back.data(), dgamma.data(), k.mean);
    }
    CHECK(error_of(got, y) < 2e-6);
    CHECK(error_of(alone, y) < 2e-6);
    CHECK(error_of(back, dx) < 5e-6);
  });
}

}  // namespace stagedtrain::test
