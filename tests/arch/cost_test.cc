// FLOPs of a token, against figures worked out by hand.
#include "arch/cost.h"

#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

ModelConfig sized(std::int64_t layers, std::int64_t width, std::int64_t heads) {
  ModelConfig config;
  config.layers = layers;
  config.width = width;
  config.heads = heads;
  config.vocab = 50257;
  config.context = 1024;
  return resolved(config);
}

}  // namespace

TEST_CASE("training FLOPs of GPT-2 sizes are exact") {
  CHECK(flops_per_token(sized(12, 768, 12)) == 854438400.0);
  CHECK(flops_per_token(sized(6, 768, 12)) == 543011328.0);
  CHECK(flops_per_token(sized(1, 768, 12)) == 283488768.0);
  CHECK(flops_per_token(sized(12, 384, 6)) == 299817216.0);
  CHECK(flops_per_token(sized(6, 768, 12)) / flops_per_token(sized(12, 768, 12)) ==
        Approx(0.6355184).epsilon(1e-7));
  CHECK(flops_per_token(sized(12, 384, 6)) / flops_per_token(sized(12, 768, 12)) ==
        Approx(0.3508939).epsilon(1e-7));
}

TEST_CASE("FLOPs grow by the same amount with each layer, from those of the head alone") {
  const double head = 6.0 * 50257 * 768;
  CHECK(head == 231584256.0);
  const double one = flops_per_token(sized(1, 768, 12)) - head;
  for (std::int64_t layers : {2, 5, 48})
    CHECK(flops_per_token(sized(layers, 768, 12)) == head + static_cast<double>(layers) * one);
}

TEST_CASE("a shorter sequence costs less attention and nothing else") {
  const ModelConfig config = sized(12, 768, 12);
  CHECK(flops_per_token(config, 1024) == flops_per_token(config));
  CHECK(flops_per_token(config) - flops_per_token(config, 512) == 12.0 * 12 * 768 * 512);
}

TEST_CASE("an ffn and heads of any size are counted by their own weights") {
  ModelConfig config = sized(2, 64, 4);
  config.ffn = 100;
  config.head_dim = 8;
  const double matrices = 2.0 * (4.0 * 64 * 32 + 2.0 * 64 * 100);
  config.value_dim = 8;
  CHECK(flops_per_token(config, 16) == 6 * (matrices + 50257.0 * 64) + 12.0 * 2 * 4 * 8 * 16);
}
