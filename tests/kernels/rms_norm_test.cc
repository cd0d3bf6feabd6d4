// RMS normalisation, fused with the residual, and its backward against fp64.
#include "kernels/rms_norm.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

constexpr float kEps = 1e-5f;

struct Normed {
  Doubles y, rstd;
};

Normed reference(const Doubles& x, const Floats& gamma) {
  const std::size_t width = gamma.size(), rows = x.size() / width;
  Normed n{Doubles(x.size()), Doubles(rows)};
  for (std::size_t r = 0; r < rows; ++r) {
    double squares = 0;
    for (std::size_t c = 0; c < width; ++c) squares += x[r * width + c] * x[r * width + c];
    n.rstd[r] = 1 / std::sqrt(squares / width + static_cast<double>(kEps));
    for (std::size_t c = 0; c < width; ++c)
      n.y[r * width + c] = x[r * width + c] * n.rstd[r] * gamma[c];
  }
  return n;
}

TEST_CASE("RMS norm agrees with fp64, and writes the rows of its range alone") {
  const std::int64_t rows = 5, width = GENERATE(1, 5, 16, 77, 768);
  on_every_target([&] {
    const Floats x = random_floats(rows * width, 1), gamma = random_floats(width, 2);
    Floats y(rows * width), rstd(rows), part(rows * width, 7), none(rows, 7);
    kernels::rms_norm(x.data(), gamma.data(), kEps, 0, rows, width, y.data(), rstd.data());
    const Normed want = reference(in_double(x), gamma);
    CHECK(error_of(y, want.y) < 1e-6);
    CHECK(error_of(rstd, want.rstd) < 1e-6);
    kernels::rms_norm(x.data(), gamma.data(), kEps, 1, 3, width, part.data(), none.data());
    CHECK(part[width - 1] == 7);
    CHECK(part[width] == y[width]);
    CHECK(none[3] == 7);
  });
}

TEST_CASE("residual and RMS norm in one pass equal the two in turn") {
  const std::int64_t rows = 6, width = GENERATE(3, 16, 130);
  on_every_target([&] {
    const Floats x = random_floats(rows * width, 1), branch = random_floats(rows * width, 2);
    const Floats gamma = random_floats(width, 3);
    Floats sum = x, y = branch, rstd(rows);  // in place: sum over x, y over branch
    kernels::residual_rms_norm(sum.data(), y.data(), gamma.data(), kEps, 0, rows, width, sum.data(),
                               y.data(), rstd.data());
    Doubles want(rows * width);
    for (std::size_t i = 0; i < want.size(); ++i) want[i] = static_cast<double>(x[i]) + branch[i];
    CHECK(error_of(sum, want) < 1e-6);
    CHECK(error_of(y, reference(in_double(sum), gamma).y) < 1e-6);
  });
}

TEST_CASE("RMS norm backward agrees with fp64, added to the residual's gradient or alone") {
  const std::int64_t rows = GENERATE(1, 4, 7), width = GENERATE(5, 16, 100);
  const bool overwrite = GENERATE(false, true);
  const Floats dy = random_floats(rows * width, 1), x = random_floats(rows * width, 2);
  const Floats gamma = random_floats(width, 3), before = random_floats(rows * width, 4);
  const Normed n = reference(in_double(x), gamma);
  Doubles dx(rows * width), dgamma(width, 0);
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto xhat = [&](std::int64_t c) { return x[r * width + c] * n.rstd[r]; };
    double mean = 0;
    for (std::int64_t c = 0; c < width; ++c)
      mean += double(dy[r * width + c]) * gamma[c] * xhat(c) / width;
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t at = r * width + c;
      dx[at] = n.rstd[r] * (double(dy[at]) * gamma[c] - xhat(c) * mean);
      if (!overwrite) dx[at] += before[at];
      dgamma[c] += dy[at] * xhat(c);
    }
  }
  on_every_target([&] {
    Floats rstd(n.rstd.begin(), n.rstd.end()), got = before, sums(width, 0);
    kernels::rms_norm_backward(dy.data(), x.data(), rstd.data(), gamma.data(), 0, rows, width,
                               overwrite, got.data(), sums.data());
    CHECK(error_of(got, dx) < 2e-6);
    CHECK(error_of(sums, dgamma) < 2e-6);
  });
}

}  // namespace
}  // namespace stagedtrain::test
