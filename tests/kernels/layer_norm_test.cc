// Layer normalisation, fused with the residual, and its backward against fp64.
#include "kernels/layer_norm.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

constexpr float kEps = 1e-5f;

struct Normed {
  Doubles y, mean, rstd;
};

Normed reference(const Doubles& x, const Floats& gamma, const Floats& beta) {
  const std::size_t width = gamma.size(), rows = x.size() / width;
  Normed n{Doubles(x.size()), Doubles(rows), Doubles(rows)};
  for (std::size_t r = 0; r < rows; ++r) {
    double mean = 0, var = 0;
    for (std::size_t c = 0; c < width; ++c) mean += x[r * width + c] / width;
    for (std::size_t c = 0; c < width; ++c) var += std::pow(x[r * width + c] - mean, 2) / width;
    n.mean[r] = mean;
    n.rstd[r] = 1 / std::sqrt(var + static_cast<double>(kEps));
    for (std::size_t c = 0; c < width; ++c)
      n.y[r * width + c] = (x[r * width + c] - mean) * n.rstd[r] * gamma[c] + beta[c];
  }
  return n;
}

struct Gradients {
  Doubles dx, dgamma, dbeta;
};

Gradients reference_backward(const Floats& dy, const Doubles& x, const Floats& gamma,
                             const Normed& n) {
  const std::size_t width = gamma.size(), rows = x.size() / width;
  Gradients out{Doubles(x.size()), Doubles(width, 0), Doubles(width, 0)};
  for (std::size_t r = 0; r < rows; ++r) {
    const auto xhat = [&](std::size_t c) { return (x[r * width + c] - n.mean[r]) * n.rstd[r]; };
    double mean_g = 0, mean_gx = 0;
    for (std::size_t c = 0; c < width; ++c) {
      const double d = dy[r * width + c];
      mean_g += d * gamma[c] / width;
      mean_gx += d * gamma[c] * xhat(c) / width;
      out.dgamma[c] += d * xhat(c);
      out.dbeta[c] += d;
    }
    for (std::size_t c = 0; c < width; ++c)
      out.dx[r * width + c] =
          n.rstd[r] * (double(dy[r * width + c]) * gamma[c] - mean_g - xhat(c) * mean_gx);
  }
  return out;
}

TEST_CASE("layer norm agrees with fp64, also where the mean is large") {
  const std::int64_t rows = 5, width = GENERATE(5, 15, 16, 64, 77, 768);
  const float shift = GENERATE(0.0f, 50.0f);
  on_every_target([&] {
    Floats x = random_floats(rows * width, 1);
    for (float& value : x) value += shift;
    const Floats gamma = random_floats(width, 2), beta = random_floats(width, 3);
    Floats y(rows * width), mean(rows), rstd(rows);
    kernels::layer_norm(x.data(), gamma.data(), beta.data(), kEps, 0, rows, width, y.data(),
                        mean.data(), rstd.data());
    const Normed want = reference(in_double(x), gamma, beta);
    const double digits = shift == 0 ? 2e-6 : 5e-5;  // the mean of 50 has an ulp of 4e-6
    CHECK(error_of(y, want.y) < digits);
    CHECK(error_of(mean, want.mean) < 1e-6);
    CHECK(error_of(rstd, want.rstd) < digits);
  });
}

TEST_CASE("residual, bias and layer norm in one pass equal the three in turn") {
  const std::int64_t rows = 6, width = GENERATE(3, 16, 128, 130);
  on_every_target([&] {
    const Floats x = random_floats(rows * width, 1), branch = random_floats(rows * width, 2);
    const Floats bias = random_floats(width, 3), gamma = random_floats(width, 4);
    const Floats beta = random_floats(width, 5);
    Floats sum = x, y = branch, mean(rows), rstd(rows);  // in place: sum over x, y over branch
    kernels::residual_layer_norm(sum.data(), y.data(), bias.data(), gamma.data(), beta.data(), kEps,
                                 0, rows, width, sum.data(), y.data(), mean.data(), rstd.data());
    Doubles want_sum(rows * width);
    for (std::int64_t i = 0; i < rows * width; ++i)
      want_sum[i] = double(x[i]) + branch[i] + bias[i % width];
    CHECK(error_of(sum, want_sum) < 2e-7);
    CHECK(error_of(y, reference(want_sum, gamma, beta).y) < 2e-6);
    Floats one(rows * width), two(rows * width);  // elsewhere, without a bias, in two ranges
    for (const auto& [begin, end] : {std::pair{0, 2}, std::pair{2, 6}})
      kernels::residual_layer_norm(x.data(), branch.data(), nullptr, gamma.data(), beta.data(),
                                   kEps, begin, end, width, one.data(), two.data(), mean.data(),
                                   rstd.data());
    CHECK(one[width] == x[width] + branch[width]);
    CHECK(error_of(two, reference(in_double(one), gamma, beta).y) < 2e-6);
  });
}

TEST_CASE("layer norm backward agrees with fp64 and adds to the residual gradient") {
  const std::int64_t rows = GENERATE(1, 4, 9), width = GENERATE(5, 16, 50, 256);
  const bool overwrite = GENERATE(false, true);
  on_every_target([&] {
    const Floats dy = random_floats(rows * width, 1), x = random_floats(rows * width, 2);
    const Floats gamma = random_floats(width, 3), beta(width, 0);
    const Normed n = reference(in_double(x), gamma, beta);
    const Floats mean(n.mean.begin(), n.mean.end()), rstd(n.rstd.begin(), n.rstd.end());
    const Floats start = random_floats(rows * width, 4);
    Gradients want = reference_backward(dy, in_double(x), gamma, n);
    Doubles want_bias(width, 0);
    for (std::int64_t i = 0; i < rows * width; ++i) {
      if (!overwrite) want.dx[i] += start[i];
      want_bias[i % width] += want.dx[i];
    }
    Floats dx = start, dgamma(width, 0), dbeta(width, 0), dbias(width, 0);
    const auto run = [&](float* bias) {
      kernels::layer_norm_backward(dy.data(), x.data(), mean.data(), rstd.data(), gamma.data(), 0,
                                   rows, width, overwrite, dx.data(),
                                   {dgamma.data(), dbeta.data(), bias});
    };
    run(dbias.data());
    CHECK(error_of(dx, want.dx) < 3e-6);
    CHECK(error_of(dgamma, want.dgamma) < 2e-6);
    CHECK(error_of(dbeta, want.dbeta) < 2e-6);
    CHECK(error_of(dbias, want_bias) < 3e-6);
    const Floats first = dx;
    dx = start;
    run(nullptr);
    CHECK(same_bytes(dx, first));
  });
}

}  // namespace
}  // namespace stagedtrain::test
