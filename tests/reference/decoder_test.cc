// Reading token by token gives the logits of reading all at once.
#include "reference/decoder.h"

#include "model/running_model.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {
namespace {

using model::Kernels;
using model::Precision;

// Both architectures, with grouped queries, experts and values of another size than queries.
std::vector<arch::ModelConfig> decoded_models() {
  std::vector<arch::ModelConfig> models;
  for (const char* architecture : {"gpt2", "llama"})
    for (const std::int64_t experts : {0, 3})
      for (const std::int64_t kv_heads : {1, 2})
        for (const std::int64_t value_dim : {0, 6}) {
          if (std::string(architecture) == "gpt2" && (kv_heads == 1 || value_dim > 0)) continue;
          arch::ModelConfig config = tiny_model();
          config.architecture = architecture;
          config.kv_heads = kv_heads;
          config.value_dim = value_dim;
          config.experts = experts;
          config.logit_scale = 1.25;
          models.push_back(arch::resolved(config));
        }
  return models;
}

// Every architecture, with the parts that differ: norms of heads, biases, shares that rotate.
std::vector<arch::ModelConfig> kernel_models() {
  std::vector<arch::ModelConfig> models = decoded_models();
  for (const char* architecture : {"qwen2", "qwen3", "olmo2", "olmoe", "neox"}) {
    arch::ModelConfig config = tiny_model();
    config.architecture = architecture;
    if (architecture == std::string("olmoe")) config.experts = 3;
    if (architecture == std::string("neox")) config.rotary_share = 0.5;
    models.push_back(arch::resolved(config));
  }
  return models;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("logits of a decoder are those of the whole row, however it is cut") {
  for (const arch::ModelConfig& config : decoded_models()) {
    CAPTURE(describe(config));
    const auto running =
        make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
    const at::Tensor tokens_1T = random_tokens(config.vocab, 1, config.context);
    const at::Tensor wanted_TV = running->logits(tokens_1T)[0];
    for (const std::int64_t step : {std::int64_t{1}, std::int64_t{3}, config.context}) {
      const auto decoder = model::make_decoder(*running);
      REQUIRE(decoder);
      for (std::int64_t place = 0; place < config.context; place += step) {
        const std::int64_t count = std::min(step, config.context - place);
        const at::Tensor logits = decoder->read(tokens_1T[0].narrow(0, place, count), count);
        CHECK(largest_difference(logits, wanted_TV.narrow(0, place, count)) < 1e-12);
        CHECK(decoder->length() == place + count);
      }
    }
  }
}

TEST_CASE(
    "a decoder with kernels for few rows is right to float32's digits, in every architecture") {
  for (const arch::ModelConfig& config : kernel_models()) {
    CAPTURE(describe(config));
    const auto exact =
        make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
    const auto running =
        make_filled(config, {.precision = Precision::fp32, .kernels = Kernels::reference});
    const at::Tensor tokens_1T = random_tokens(config.vocab, 1, config.context);
    const at::Tensor wanted_TV = exact->logits(tokens_1T)[0];
    for (const std::int64_t step : {std::int64_t{1}, std::int64_t{3}}) {
      const auto decoder = model::make_decoder(*running);
      for (std::int64_t place = 0; place < config.context; place += step) {
        const std::int64_t count = std::min(step, config.context - place);
        const at::Tensor logits = decoder->read(tokens_1T[0].narrow(0, place, count), count);
        const at::Tensor wanted = wanted_TV.narrow(0, place, count);
        CHECK(largest_difference(logits.to(at::kDouble), wanted) <
              2e-5 * wanted.abs().max().item<double>());
      }
    }
  }
}

TEST_CASE("a decoder that went back reads on as if nothing had followed") {
  const arch::ModelConfig config = decoded_models().back();
  const auto running =
      make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
  const at::Tensor tokens = random_tokens(config.vocab, 1, config.context)[0];
  const at::Tensor others = random_tokens(config.vocab, 1, config.context, 8)[0];
  const auto decoder = model::make_decoder(*running);
  decoder->read(tokens.narrow(0, 0, 5));
  const at::Tensor first = decoder->read(tokens.narrow(0, 5, 4), 2);
  decoder->go_back(5);
  decoder->read(others.narrow(0, 5, 6));
  decoder->go_back(5);
  CHECK(largest_difference(decoder->read(tokens.narrow(0, 5, 4), 2), first) == 0);
}

TEST_CASE("a decoder is right in bfloat16 to its digits, and fused kernels have none") {
  const arch::ModelConfig config = decoded_models()[0];
  const auto running =
      make_filled(config, {.precision = Precision::bf16, .kernels = Kernels::reference});
  const at::Tensor tokens_1T = random_tokens(config.vocab, 1, config.context);
  const at::Tensor wanted_TV = running->logits(tokens_1T)[0];
  const auto decoder = model::make_decoder(*running);
  for (std::int64_t place = 0; place < config.context; ++place)
    CHECK(error_of(decoder->read(tokens_1T[0].narrow(0, place, 1)),
                   wanted_TV.narrow(0, place, 1)) < 0.03);
  const auto fused = make_filled(config, {.kernels = Kernels::fused});
  CHECK(model::make_decoder(*fused) == nullptr);
}

}  // namespace stagedtrain::test
