// Causal attention, forward and backward, against plain fp64 loops over odd shapes.
#include "products/attention.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

using kernels::AttentionShape;

AttentionShape shape_of(std::int64_t B, std::int64_t T, std::int64_t H, std::int64_t K,
                        std::int64_t hd) {
  return {B, T, H, K, hd, static_cast<float>(1 / std::sqrt(static_cast<double>(hd)))};
}

// Where the vectors of query head h at (b, t) lie in qkv and in out.
struct Places {
  const AttentionShape& s;
  std::int64_t row(std::int64_t b, std::int64_t t) const {
    return (b * s.length + t) * s.qkv_width();
  }
  std::int64_t q(std::int64_t b, std::int64_t t, std::int64_t h) const {
    return row(b, t) + h * s.head_dim;
  }
  std::int64_t k(std::int64_t b, std::int64_t t, std::int64_t h) const {
    return row(b, t) + (s.heads + h / (s.heads / s.kv_heads)) * s.head_dim;
  }
  std::int64_t v(std::int64_t b, std::int64_t t, std::int64_t h) const {
    return k(b, t, h) + s.kv_heads * s.head_dim;
  }
  std::int64_t out(std::int64_t b, std::int64_t t, std::int64_t h) const {
    return (b * s.length + t) * s.out_width() + h * s.head_dim;
  }
};

double dot(const double* a, const double* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

struct Want {
  Doubles out, lse, dqkv;
};

// One query: its probabilities, output and, from dout, the gradients.
void one_query(const AttentionShape& s, const Doubles& qkv, const Doubles& dout, std::int64_t b,
               std::int64_t h, std::int64_t i, Want& want) {
  const Places at{s};
  const std::int64_t n = s.head_dim, q = at.q(b, i, h), o = at.out(b, i, h);
  Doubles p(i + 1), dp(i + 1);
  double largest = -1e300, sum = 0, delta = 0;
  for (std::int64_t j = 0; j <= i; ++j) {
    p[j] = s.scale * dot(&qkv[q], &qkv[at.k(b, j, h)], n);
    largest = std::max(largest, p[j]);
  }
  for (double& score : p) sum += std::exp(score - largest);
  const double lse = want.lse[(b * s.heads + h) * s.length + i] = largest + std::log(sum);
  for (std::int64_t j = 0; j <= i; ++j) {
    p[j] = std::exp(p[j] - lse);
    for (std::int64_t d = 0; d < n; ++d) want.out[o + d] += p[j] * qkv[at.v(b, j, h) + d];
    dp[j] = dot(&dout[o], &qkv[at.v(b, j, h)], n);
    delta += p[j] * dp[j];
  }
  for (std::int64_t j = 0; j <= i; ++j) {
    const double ds = s.scale * p[j] * (dp[j] - delta);
    for (std::int64_t d = 0; d < n; ++d) {
      want.dqkv[q + d] += ds * qkv[at.k(b, j, h) + d];
      want.dqkv[at.k(b, j, h) + d] += ds * qkv[q + d];
      want.dqkv[at.v(b, j, h) + d] += p[j] * dout[o + d];
    }
  }
}

Want reference(const AttentionShape& s, const Doubles& qkv, const Doubles& dout) {
  Want want{Doubles(dout.size(), 0), Doubles(s.forward_units() * s.length, 0),
            Doubles(qkv.size(), 0)};
  for (std::int64_t b = 0; b < s.sequences; ++b)
    for (std::int64_t h = 0; h < s.heads; ++h)
      for (std::int64_t i = 0; i < s.length; ++i) one_query(s, qkv, dout, b, h, i, want);
  return want;
}

struct Got {
  Floats out, lse, dqkv;
};

// Runs both directions with units split at the given place, in scratch full of NaN.
Got run(const AttentionShape& s, const Floats& qkv, const Floats& dout, std::int64_t split) {
  Got got{Floats(dout.size(), NAN), Floats(s.forward_units() * s.length, NAN),
          Floats(qkv.size(), NAN)};
  Floats scratch(kernels::attention_forward_scratch(s) + 1, NAN);
  float* work = scratch.data() + 1;  // not aligned
  const std::int64_t forward = s.forward_units(), backward = s.backward_units();
  kernels::attention_forward(s, qkv.data(), split, forward, got.out.data(), got.lse.data(), work);
  kernels::attention_forward(s, qkv.data(), 0, split, got.out.data(), got.lse.data(), work);
  Floats more(kernels::attention_backward_scratch(s), NAN);
  const std::int64_t at = std::min(split, backward);
  kernels::attention_backward(s, qkv.data(), got.out.data(), got.lse.data(), dout.data(), at,
                              backward, got.dqkv.data(), more.data());
  kernels::attention_backward(s, qkv.data(), got.out.data(), got.lse.data(), dout.data(), 0, at,
                              got.dqkv.data(), more.data());
  return got;
}

// Errors are relative to the largest value; scores of a few hundred lose digits in the exponent.
void check_shape(const AttentionShape& s, float spread, double tolerance = 2e-6) {
  const Floats qkv = random_floats(s.sequences * s.length * s.qkv_width(), 1, spread);
  const Floats dout = random_floats(s.sequences * s.length * s.out_width(), 2);
  const Want want = reference(s, in_double(qkv), in_double(dout));
  on_every_target([&] {
    const Got got = run(s, qkv, dout, 0), split = run(s, qkv, dout, 1);
    CHECK(error_of(got.out, want.out) < tolerance);
    CHECK(error_of(got.lse, want.lse) < 1e-6);
    CHECK(error_of(got.dqkv, want.dqkv) < 2 * tolerance);
    CHECK(same_bytes(got.out, split.out));
    CHECK(same_bytes(got.lse, split.lse));
    CHECK(same_bytes(got.dqkv, split.dqkv));
  });
}

TEST_CASE("attention agrees with fp64 over lengths and head sizes") {
  const std::int64_t T = GENERATE(1, 2, 7, 8, 9, 31, 32, 33, 64, 100, 129);
  const std::int64_t hd = GENERATE(1, 3, 8, 16, 20, 32, 50, 64);
  INFO("T " << T << " head_dim " << hd);
  check_shape(shape_of(2, T, 2, 2, hd), 1);
}

TEST_CASE("queries in groups share keys and values") {
  const std::int64_t heads = GENERATE(3, 6);
  check_shape(shape_of(2, 37, heads, heads / 3, 16), 1);
  check_shape(shape_of(1, 70, heads, 1, 24), 1);
}

TEST_CASE("attention survives scores in the hundreds") {
  check_shape(shape_of(1, 65, 2, 2, 32), 6, 1e-5);
}

}  // namespace
}  // namespace stagedtrain::test
