// The fused models against the reference in fp64: losses, logits and every gradient, many shapes.
#include <ATen/Parallel.h>

#include "arch/architectures.h"
#include "model/running_model.h"
#include "optim/adamw.h"

namespace stagedtrain::test {
namespace {

using model::Kernels;
using model::Precision;
using model::Recompute;

struct Shape {
  const char* name;
  arch::ModelConfig config;
  std::int64_t rows, length;
};

std::vector<Shape> shapes() {
  const auto shape = [](const char* name, arch::ModelConfig config, std::int64_t rows,
                        std::int64_t length) {
    return Shape{name, arch::resolved(config), rows, length};
  };
  return {
      shape("plain", {.layers = 2, .width = 32, .heads = 4, .vocab = 256, .context = 24}, 3, 24),
      shape("one row", {.layers = 1, .width = 16, .heads = 2, .vocab = 7, .context = 9}, 1, 9),
      shape("odd width",
            {.layers = 2, .width = 21, .heads = 3, .ffn = 37, .vocab = 11, .context = 17}, 5, 17),
      shape("untied, own head_dim",
            {.layers = 2,
             .width = 20,
             .heads = 3,
             .head_dim = 5,
             .ffn = 24,
             .vocab = 1000,
             .context = 12,
             .tied = false},
            2, 12),
      shape("shorter than the context",
            {.layers = 2, .width = 24, .heads = 2, .vocab = 100, .context = 64}, 4, 19),
      shape("one token", {.layers = 1, .width = 8, .heads = 1, .vocab = 5, .context = 4}, 2, 1),
      shape("many chunks", {.layers = 1, .width = 16, .heads = 2, .vocab = 33, .context = 96}, 9,
            96),
      shape("wide", {.layers = 1, .width = 400, .heads = 4, .vocab = 600, .context = 20}, 3, 20),
      shape("a large vocabulary, in groups of rows",
            {.layers = 1, .width = 16, .heads = 2, .vocab = 120'000, .context = 75}, 2, 75),
      shape("scaled logits",
            {.layers = 2,
             .width = 24,
             .heads = 2,
             .vocab = 50,
             .context = 12,
             .tied = false,
             .logit_scale = 0.3},
            3, 12),
      shape("scaled logits, tied",
            {.layers = 1, .width = 16, .heads = 2, .vocab = 50, .context = 9, .logit_scale = 2}, 3,
            9),
      shape("llama",
            {.architecture = "llama",
             .layers = 2,
             .width = 32,
             .heads = 4,
             .vocab = 99,
             .context = 24},
            3, 24),
      shape("llama, grouped queries, untied, odd sizes",
            {.architecture = "llama",
             .layers = 2,
             .width = 27,
             .heads = 6,
             .kv_heads = 2,
             .head_dim = 6,
             .ffn = 35,
             .vocab = 50,
             .context = 40,
             .tied = false,
             .rope_theta = 100},
            3, 31),
      shape("llama, many chunks",
            {.architecture = "llama",
             .layers = 1,
             .width = 16,
             .heads = 2,
             .vocab = 33,
             .context = 96},
            9, 96),
      shape("llama, wide",
            {.architecture = "llama",
             .layers = 1,
             .width = 400,
             .heads = 4,
             .kv_heads = 1,
             .vocab = 60,
             .context = 20},
            3, 20),
      shape("experts, odd sizes",
            {.layers = 2,
             .width = 21,
             .heads = 3,
             .ffn = 37,
             .vocab = 11,
             .context = 17,
             .experts = 3,
             .experts_per_token = 1},
            5, 17),
      shape("llama with experts, many chunks",
            {.architecture = "llama",
             .layers = 2,
             .width = 18,
             .heads = 3,
             .ffn = 27,
             .vocab = 33,
             .context = 96,
             .experts = 5,
             .router_loss = 0.5},
            9, 96),
      shape("llama with wide experts",
            {.architecture = "llama",
             .layers = 1,
             .width = 300,
             .heads = 6,
             .ffn = 700,
             .vocab = 60,
             .context = 40,
             .experts = 3},
            6, 40),
      shape("more experts than rows",
            {.layers = 1,
             .width = 8,
             .heads = 2,
             .vocab = 9,
             .context = 3,
             .experts = 7,
             .experts_per_token = 3,
             .router_loss = 0},
            1, 2),
      shape("qwen2",
            {.architecture = "qwen2",
             .layers = 2,
             .width = 26,
             .heads = 4,
             .kv_heads = 2,
             .head_dim = 6,
             .vocab = 50,
             .context = 20},
            3, 17),
      shape("qwen3 with experts",
            {.architecture = "qwen3",
             .layers = 2,
             .width = 26,
             .heads = 4,
             .kv_heads = 2,
             .head_dim = 10,
             .ffn = 23,
             .vocab = 50,
             .context = 64,
             .experts = 4},
            5, 50),
      shape("olmo2",
            {.architecture = "olmo2",
             .layers = 3,
             .width = 26,
             .heads = 4,
             .kv_heads = 2,
             .head_dim = 10,
             .ffn = 23,
             .vocab = 50,
             .context = 64},
            5, 50),
      shape("olmo2 with experts, wide",
            {.architecture = "olmo2",
             .layers = 1,
             .width = 400,
             .heads = 4,
             .vocab = 60,
             .context = 20,
             .experts = 3},
            3, 20),
      shape("olmoe, gates as the router gives them",
            {.architecture = "olmoe",
             .layers = 1,
             .width = 28,
             .heads = 2,
             .vocab = 50,
             .context = 9,
             .experts = 5,
             .norm_topk = false},
            3, 9),
      shape("neox",
            {.architecture = "neox",
             .layers = 3,
             .width = 28,
             .heads = 2,
             .vocab = 50,
             .context = 64,
             .tied = false,
             .rotary_share = 0.3},
            5, 50),
      shape("neox with experts",
            {.architecture = "neox",
             .layers = 2,
             .width = 28,
             .heads = 2,
             .vocab = 50,
             .context = 64,
             .experts = 3},
            3, 20)};
}

std::unique_ptr<model::Model> make(const arch::ModelConfig& config, Precision precision,
                                   Kernels kernels, double z_loss = 0, double dropout = 0) {
  return make_filled(
      config, {.precision = precision, .kernels = kernels, .dropout = dropout, .z_loss = z_loss});
}

// Relative to each tensor's scale, or to a share of the largest gradient where that is more: some
// gradients are nothing but rounding. The key bias always is (softmax ignores what is added to all
// scores), a sum over all rows; query and key are where a sequence has one token.
void check_gradients(model::Model& fused, model::Model& exact) {
  model::ParamBuffer &found = fused.params(), &wanted = exact.params();
  const double largest = wanted.grads().abs().max().item<double>();
  for (std::size_t i = 0; i < found.table().size(); ++i) {
    const std::string& name = found.table()[i].name;
    CAPTURE(name);
    const double floor = largest * (name.ends_with("attention.key.bias") ? 0.5 : 1e-3);
    const at::Tensor want = wanted.view(wanted.grads(), i);
    const at::Tensor difference = in_double(found.view(found.grads(), i)) - want;
    const double scale = std::max(want.abs().max().item<double>(), floor);
    CHECK(difference.abs().max().item<double>() <= 2e-5 * scale);
  }
}

}  // namespace

TEST_CASE("fused losses, logits and gradients are those of the reference in fp64") {
  for (const Shape& shape : shapes()) {
    CAPTURE(shape.name);
    const auto fused = make(shape.config, Precision::fp32, Kernels::fused);
    const auto exact = make(shape.config, Precision::fp64, Kernels::reference);
    REQUIRE(std::string(fused->kernels_name()) == "fused");
    const at::Tensor tokens_BS = random_tokens(shape.config.vocab, shape.rows, shape.length + 1);
    const at::Tensor loss = fused->loss_and_backward(tokens_BS, 0.5, 0);
    const at::Tensor want = exact->loss_and_backward(tokens_BS, 0.5, 0);
    CHECK(error_of(loss, want) <= 2e-6);
    check_gradients(*fused, *exact);
    CHECK(error_of(fused->row_losses(tokens_BS), exact->row_losses(tokens_BS)) <= 2e-6);
    const at::Tensor inputs_BT = tokens_BS.narrow(1, 0, shape.length);
    CHECK(error_of(fused->logits(inputs_BT), exact->logits(inputs_BT)) <= 1e-5);
  }
}

TEST_CASE("fused gradients are added to, with the batch's scale") {
  const Shape shape = shapes()[0];
  const auto fused = make(shape.config, Precision::fp32, Kernels::fused);
  const auto exact = make(shape.config, Precision::fp64, Kernels::reference);
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto rows = static_cast<std::int64_t>(seed);  // another batch shape each time
    const at::Tensor tokens_BS = random_tokens(shape.config.vocab, rows, shape.length + 1, seed);
    fused->loss_and_backward(tokens_BS, 0.25, 0);
    exact->loss_and_backward(tokens_BS, 0.25, 0);
    fused->row_losses(tokens_BS);  // between them: leaves gradients alone
  }
  check_gradients(*fused, *exact);
}

TEST_CASE("fused gradients hold those of the z-loss, and the loss does not") {
  const Shape shape = shapes()[0];
  const auto fused = make(shape.config, Precision::fp32, Kernels::fused, 0.01);
  const auto exact = make(shape.config, Precision::fp64, Kernels::reference, 0.01);
  const at::Tensor tokens_BS = random_tokens(shape.config.vocab, shape.rows, shape.length + 1);
  const at::Tensor loss = fused->loss_and_backward(tokens_BS, 1, 0);
  CHECK(error_of(loss, exact->loss_and_backward(tokens_BS, 1, 0)) <= 2e-6);
  check_gradients(*fused, *exact);
}

TEST_CASE("fused dropout draws the masks of the reference") {
  for (const Shape& shape : shapes()) {
    CAPTURE(shape.name);
    const auto fused = make(shape.config, Precision::fp32, Kernels::fused, 0, 0.3);
    const auto exact = make(shape.config, Precision::fp64, Kernels::reference, 0, 0.3);
    const at::Tensor tokens_BS = random_tokens(shape.config.vocab, shape.rows, shape.length + 1);
    const double scale = 0.5;
    const at::Tensor loss = fused->loss_and_backward(tokens_BS, scale, 11);
    CHECK(error_of(loss, exact->loss_and_backward(tokens_BS, scale, 11)) <= 2e-6);
    check_gradients(*fused, *exact);
    CHECK_FALSE(fused->loss_and_backward(tokens_BS, 1, 12).equal(loss));
    // without dropout outside of training
    CHECK(error_of(fused->row_losses(tokens_BS), exact->row_losses(tokens_BS)) <= 2e-6);
  }
}

// The smaller model that a mask leaves unchanged.
arch::ModelConfig before_growth(arch::ModelConfig config) {
  config.layers = std::max<std::int64_t>(1, config.layers - 1);
  config.width -= 3;
  config.ffn -= 5;
  return config;
}

TEST_CASE("a fused growth mask is that of the reference") {
  for (const Shape& shape : shapes())
    for (const double dropout : {0.0, 0.3}) {
      CAPTURE(shape.name, dropout);
      const auto fused = make(shape.config, Precision::fp32, Kernels::fused, 0, dropout);
      const auto exact = make(shape.config, Precision::fp64, Kernels::reference, 0, dropout);
      const at::Tensor tokens_BS = random_tokens(shape.config.vocab, shape.rows, shape.length + 1);
      for (const double visible : {0.0, 0.4}) {
        fused->set_mask({before_growth(shape.config), visible});
        exact->set_mask({before_growth(shape.config), visible});
        CHECK(error_of(fused->loss_and_backward(tokens_BS, 0.5, 3),
                       exact->loss_and_backward(tokens_BS, 0.5, 3)) <= 2e-6);
        CHECK(error_of(fused->row_losses(tokens_BS), exact->row_losses(tokens_BS)) <= 2e-6);
      }
      check_gradients(*fused, *exact);
      const at::Tensor masked = fused->row_losses(tokens_BS);
      fused->set_mask({before_growth(shape.config), 1});
      exact->set_mask({before_growth(shape.config), 1});
      CHECK_FALSE(fused->row_losses(tokens_BS).equal(masked));
      CHECK(error_of(fused->row_losses(tokens_BS), exact->row_losses(tokens_BS)) <= 2e-6);
    }
}

TEST_CASE("a fused mask grows heads, as that of the reference") {
  const Shape shape = shapes()[12];
  arch::ModelConfig before = shape.config;
  before.heads = 4;
  const auto fused = make(shape.config, Precision::fp32, Kernels::fused);
  const auto exact = make(shape.config, Precision::fp64, Kernels::reference);
  const at::Tensor tokens_BS = random_tokens(shape.config.vocab, shape.rows, shape.length + 1);
  fused->set_mask({before, 0.25});
  exact->set_mask({before, 0.25});
  fused->loss_and_backward(tokens_BS, 1, 0);
  exact->loss_and_backward(tokens_BS, 1, 0);
  check_gradients(*fused, *exact);
}

TEST_CASE("two fused runs of five steps end with the same bits") {
  at::set_num_threads(2);
  for (const std::size_t index : {0u, 6u, 7u, 8u, 13u, 14u, 16u, 17u, 20u, 21u, 23u}) {
    const Shape shape = shapes()[index];
    CAPTURE(shape.name);
    std::vector<at::Tensor> ends;
    for (int run = 0; run < 2; ++run) {
      const auto model = make(shape.config, Precision::fp32, Kernels::fused);
      for (std::int64_t step = 1; step <= 5; ++step) {
        const at::Tensor tokens_BS = random_tokens(shape.config.vocab, shape.rows, shape.length + 1,
                                                   static_cast<std::uint64_t>(step));
        model->loss_and_backward(tokens_BS, 1, 0);
        train::adamw_step(model->params(), {}, 1e-3, step, 1);
      }
      ends.push_back(model->params().weights().clone());
    }
    CHECK(at::equal(ends[0], ends[1]));
  }
}

TEST_CASE("every number of threads gives the same bits") {
  const std::vector<Shape> all = shapes();
  for (const std::size_t index : {6u, 7u, 8u, 13u, 14u, 15u, 16u, 17u, 20u, 21u, 22u, 23u, 24u}) {
    const Shape& shape = all[index];
    CAPTURE(shape.name);
    const at::Tensor tokens_BS = random_tokens(shape.config.vocab, shape.rows, shape.length + 1);
    std::vector<at::Tensor> grads;
    for (const int threads : {1, 2, 5}) {
      at::set_num_threads(threads);
      const auto model = make(shape.config, Precision::fp32, Kernels::fused, 0, 0.1);
      model->loss_and_backward(tokens_BS, 1, 0);
      grads.push_back(model->params().grads().clone());
    }
    CHECK(at::equal(grads[0], grads[1]));
    CHECK(at::equal(grads[0], grads[2]));
  }
  at::set_num_threads(2);
}

TEST_CASE("what is made again has the same bits") {
  for (const Shape& shape : shapes()) {
    CAPTURE(shape.name);
    std::vector<at::Tensor> kept;
    for (const Recompute recompute : {Recompute::none, Recompute::norms, Recompute::blocks}) {
      if (recompute == Recompute::blocks && arch::block_style(shape.config).norms_after) continue;
      const auto model = make_filled(
          shape.config, {.kernels = Kernels::fused, .dropout = 0.2, .recompute = recompute});
      for (std::size_t pass = 0; pass < 2; ++pass) {
        model->loss_and_backward(
            random_tokens(shape.config.vocab, shape.rows, shape.length + 1, pass), 1, 0);
        const at::Tensor& grads = model->params().grads();
        if (recompute == Recompute::none)
          kept.push_back(grads.clone());
        else
          CHECK(at::equal(grads, kept[pass]));
      }
    }
  }
}

}  // namespace stagedtrain::test
