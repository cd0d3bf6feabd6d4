// Cross-entropy and the gradient of the logits against fp64.
#include "kernels/softmax_cross_entropy.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

constexpr std::int64_t kRows = 5;

struct Case {
  std::int64_t vocab, stride;
  Floats logits;
  std::vector<std::int32_t>
      ids;  // one sequence of kRows + 3 targets, of which the first 3 are past
  Case(std::int64_t vocab_size, std::int64_t padding, float spread)
      : vocab(vocab_size), stride(vocab_size + padding), ids(kRows + 3) {
    logits = random_floats(kRows * stride, 1, spread);
    for (std::size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<std::int32_t>((i * 7919) % vocab);
    for (std::int64_t r = 0; r < kRows; ++r)
      for (std::int64_t c = vocab; c < stride; ++c) logits[r * stride + c] = NAN;
  }
  kernels::LogitChunk chunk(Floats& values) const {
    return {values.data(), vocab, stride, {ids.data(), kRows + 3, kRows + 3}, 3};
  }
};

struct Want {
  Doubles losses{Doubles(kRows, 0)}, gradient;
};

Want reference(const Case& x, double scale, double z_loss) {
  Want want;
  want.gradient.assign(kRows * x.stride, 0);
  for (std::int64_t r = 0; r < kRows; ++r) {
    const std::int32_t target = x.ids[r + 3];
    if (target < 0) continue;
    const float* row = x.logits.data() + r * x.stride;
    double largest = row[0], sum = 0;
    for (std::int64_t c = 0; c < x.vocab; ++c) largest = std::max<double>(largest, row[c]);
    for (std::int64_t c = 0; c < x.vocab; ++c) sum += std::exp(row[c] - largest);
    const double lse = largest + std::log(sum);
    want.losses[r] = lse - row[target];
    for (std::int64_t c = 0; c < x.vocab; ++c)
      want.gradient[r * x.stride + c] =
          scale * (std::exp(row[c] - lse) * (1 + 2 * z_loss * lse) - (c == target));
  }
  return want;
}

TEST_CASE("loss and gradient of the logits agree with fp64") {
  const std::int64_t vocab = GENERATE(2, 15, 256, 1000, 1025, 5003, 70001);
  const std::int64_t padding = GENERATE(0, 7);
  const float spread = GENERATE(1.0f, 30.0f);
  Case x(vocab, padding, spread);
  x.ids[4] = -1;  // row 1 is not scored
  for (const float z_loss : {0.0f, 1e-3f}) {
    const Want want = reference(x, 0.25, z_loss);
    on_every_target([&] {
      Floats values = x.logits, untouched = x.logits;
      Doubles losses(kRows, -1), only(kRows, -1);
      kernels::softmax_cross_entropy(x.chunk(values), 0, kRows, 0.25f, z_loss, losses.data());
      CHECK(error_of(losses, want.losses) < 3e-7);
      CHECK(error_of(values, want.gradient) < 2e-6);
      kernels::cross_entropy(x.chunk(untouched), 0, kRows, only.data());
      CHECK(same_bytes(untouched, x.logits));
      if (z_loss == 0) CHECK(same_bytes(only, losses));
    });
  }
}

TEST_CASE("huge logits neither overflow nor underflow") {
  Case x(3000, 0, 1.0f);
  for (float& value : x.logits) value *= 1e4f;
  const Want want = reference(x, 1, 0);
  on_every_target([&] {
    Floats values = x.logits;
    Doubles losses(kRows);
    kernels::softmax_cross_entropy(x.chunk(values), 0, kRows, 1, 0, losses.data());
    CHECK(error_of(losses, want.losses) < 1e-6);
    CHECK(error_of(values, want.gradient) < 1e-6);
  });
}

TEST_CASE("cross-entropy gives the same bytes however rows are split") {
  const Case x(777, 3, 2.0f);
  on_every_target([&] {
    Floats whole = x.logits, split = x.logits;
    Doubles a(kRows), b(kRows);
    kernels::softmax_cross_entropy(x.chunk(whole), 0, kRows, 0.5f, 0, a.data());
    kernels::softmax_cross_entropy(x.chunk(split), 2, kRows, 0.5f, 0, b.data());
    kernels::softmax_cross_entropy(x.chunk(split), 0, 2, 0.5f, 0, b.data());
    CHECK(same_bytes(whole, split));
    CHECK(same_bytes(a, b));
  });
}

}  // namespace
}  // namespace stagedtrain::test
