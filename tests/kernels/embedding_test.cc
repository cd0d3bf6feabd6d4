// Embedding rows gathered and their gradients added, against plain loops.
#include "kernels/embedding.h"

#include "kernels/kernel_support.h"

namespace stagedtrain::test {
namespace {

struct Case {
  std::int64_t sequences = 3, length = 11, vocab = 9, width;
  std::vector<std::int32_t> ids;
  explicit Case(std::int64_t w) : width(w), ids(sequences * (length + 1)) {
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(i * i % vocab);
  }
  std::int64_t rows() const { return sequences * length; }
  kernels::TokenView tokens() const { return {ids.data(), length, length + 1}; }
  std::int32_t id(std::int64_t row) const {
    return ids[row / length * (length + 1) + row % length];
  }
};

TEST_CASE("embed adds the token's row and the position's row") {
  const Case x(GENERATE(1, 16, 21, 128));
  on_every_target([&] {
    const Floats tokens = random_floats(x.vocab * x.width, 1);
    const Floats positions = random_floats(x.length * x.width, 2);
    Floats both(x.rows() * x.width), alone(x.rows() * x.width);
    kernels::embed(x.tokens(), tokens.data(), positions.data(), 0, 10, x.width, both.data());
    kernels::embed(x.tokens(), tokens.data(), positions.data(), 10, x.rows(), x.width, both.data());
    kernels::embed(x.tokens(), tokens.data(), nullptr, 0, x.rows(), x.width, alone.data());
    bool equal = true;
    for (std::int64_t i = 0; i < x.rows() * x.width; ++i) {
      const std::int64_t r = i / x.width, c = i % x.width;
      const float token = tokens[x.id(r) * x.width + c];
      equal = equal && alone[i] == token;
      equal = equal && both[i] == token + positions[r % x.length * x.width + c];
    }
    CHECK(equal);
  });
}

TEST_CASE("embedding gradients are sums in a fixed order, however they are split") {
  const Case x(GENERATE(1, 16, 21, 128));
  on_every_target([&] {
    const Floats dx = random_floats(x.rows() * x.width, 3);
    const Floats start = random_floats(x.vocab * x.width, 4);
    Floats tokens = start, split = start, want_tokens = start;
    Floats positions(x.length * x.width, 1), split_positions = positions,
                                             want_positions = positions;
    for (std::int64_t i = 0; i < x.rows() * x.width; ++i) {
      const std::int64_t r = i / x.width, c = i % x.width;
      want_tokens[x.id(r) * x.width + c] += dx[i];
      want_positions[r % x.length * x.width + c] += dx[i];
    }
    kernels::token_embedding_backward(x.tokens(), dx.data(), x.rows(), x.width, 0, x.width,
                                      tokens.data());
    const std::int64_t half = x.width / 2;
    kernels::token_embedding_backward(x.tokens(), dx.data(), x.rows(), x.width, half, x.width,
                                      split.data());
    kernels::token_embedding_backward(x.tokens(), dx.data(), x.rows(), x.width, 0, half,
                                      split.data());
    CHECK(same_bytes(tokens, want_tokens));
    CHECK(same_bytes(split, want_tokens));
    kernels::position_embedding_backward(dx.data(), x.sequences, x.length, x.width, 0, x.length,
                                         positions.data());
    kernels::position_embedding_backward(dx.data(), x.sequences, x.length, x.width, 4, x.length,
                                         split_positions.data());
    kernels::position_embedding_backward(dx.data(), x.sequences, x.length, x.width, 0, 4,
                                         split_positions.data());
    CHECK(same_bytes(positions, want_positions));
    CHECK(same_bytes(split_positions, want_positions));
  });
}

}  // namespace
}  // namespace stagedtrain::test
