// Dropout: the share of dropped elements, their independence, and that a mask is a function of key,
// row and column alone.
#include "kernels/dropout.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

using kernels::Dropout;

// 1 where an element is kept, else 0.
Floats mask_of(const Dropout& dropout, std::int64_t rows, std::int64_t width) {
  Floats mask(static_cast<std::size_t>(rows * width), 1);
  kernels::drop(dropout, mask.data(), 0, rows, width, mask.data());
  return mask;
}

double mean_of(const Floats& values) {
  double sum = 0;
  for (const float value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// The correlation of the elements of two masks that keep the same share.
double correlation(const Floats& a, const Floats& b, double kept) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - kept) * (b[i] - kept);
  return sum / static_cast<double>(a.size()) / (kept * (1 - kept));
}

constexpr std::int64_t kRows = 1000, kWidth = 1003;
constexpr double kSigma = 1e-3;  // of a mean over kRows x kWidth elements, in deviations of one

}  // namespace

TEST_CASE("dropout drops its share and scales the rest") {
  const float p = GENERATE(0.05f, 0.5f, 0.9f);
  const Floats x = random_floats(kRows * kWidth, 1);
  Floats y(x.size());
  kernels::drop({.key = 3, .probability = p, .scale = 1 / (1 - p)}, x.data(), 0, kRows, kWidth,
                y.data());
  double dropped = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (y[i] == 0)
      ++dropped;
    else
      REQUIRE(y[i] == x[i] * (1 / (1 - p)));
  }
  const double share = dropped / static_cast<double>(x.size());
  CHECK(std::abs(share - p) < 5 * kSigma * std::sqrt(p * (1 - p)));
}

TEST_CASE("masks of neighbouring rows, columns and keys are independent") {
  const double kept = 0.75;
  const Dropout dropout{.key = GENERATE(0u, 1u, 77u), .probability = 0.25f};
  const Floats mask = mask_of(dropout, kRows, kWidth);
  CHECK(std::abs(mean_of(mask) - kept) < 5 * kSigma * std::sqrt(kept * (1 - kept)));
  const Floats of_next_key = mask_of({.key = dropout.key + 1, .probability = 0.25f}, kRows, kWidth);
  CHECK(std::abs(correlation(mask, of_next_key, kept)) < 5 * kSigma);
  for (const std::int64_t shift :
       {std::int64_t{1}, std::int64_t{2}, kWidth - 1, kWidth, kWidth + 1}) {
    CAPTURE(shift);
    const Floats head(mask.begin(), mask.end() - shift), rest(mask.begin() + shift, mask.end());
    CHECK(std::abs(correlation(head, rest, kept)) < 5 * kSigma);
  }
  // The shares of single rows and columns vary as those of independent draws do.
  for (const bool by_row : {true, false}) {
    double squares = 0;
    const std::int64_t lines = by_row ? kRows : kWidth, length = by_row ? kWidth : kRows;
    for (std::int64_t i = 0; i < lines; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < length; ++j)
        sum += mask[static_cast<std::size_t>(by_row ? i * kWidth + j : j * kWidth + i)] - kept;
      squares += sum * sum / (static_cast<double>(length) * kept * (1 - kept));
    }
    CHECK(std::abs(squares / static_cast<double>(lines) - 1) < 5 * std::sqrt(2.0 / 1000));
  }
}

TEST_CASE("a mask is the same on every processor, and for any ranges of rows") {
  const std::int64_t rows = 7, width = GENERATE(1, 16, 45);
  const Dropout dropout{.key = 5, .probability = 0.3f, .scale = 1};
  const Floats whole = mask_of(dropout, rows, width);
  on_every_target([&] {
    Floats parts(whole.size(), 1);
    kernels::drop(dropout, parts.data(), 4, rows, width, parts.data());
    kernels::drop(dropout, parts.data(), 0, 4, width, parts.data());
    CHECK(same_bytes(parts, whole));
  });
}

}  // namespace stagedtrain::test
