// The references by themselves: gradients against differences, bfloat16, dropout, z-loss.
#include "model/running_model.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {
namespace {

using model::Kernels;
using model::ModelOptions;
using model::Precision;
using model::Recompute;

const std::int64_t kRows = 3;

// Each architecture, dense and with experts. Balancing is left out: it is of no loss that is told.
std::vector<arch::ModelConfig> reference_models() {
  std::vector<arch::ModelConfig> models;
  for (const char* architecture : {"gpt2", "llama"}) {
    for (const std::int64_t experts : {0, 5}) {
      arch::ModelConfig config = tiny_model();
      config.architecture = architecture;
      if (config.architecture == "llama") config.kv_heads = 1;
      config.experts = experts;
      config.router_loss = 0;
      config.logit_scale = 1.25;
      models.push_back(arch::resolved(config));
    }
  }
  return models;
}

at::Tensor tiny_batch() {
  const arch::ModelConfig config = tiny_model();
  return random_tokens(config.vocab, kRows, config.context + 1);
}

std::unique_ptr<model::Model> reference(const arch::ModelConfig& config, ModelOptions options) {
  options.kernels = Kernels::reference;
  return make_filled(config, options);
}

// What loss_and_backward differentiates, from the logits alone.
double objective(model::Model& model, const at::Tensor& tokens_BS, double z_loss) {
  const at::Tensor logits_BTV = model.logits(tokens_BS.narrow(1, 0, tokens_BS.size(1) - 1));
  const double squares = at::logsumexp(logits_BTV, {2}).square().mean().item<double>();
  return model.row_losses(tokens_BS).mean().item<double>() + z_loss * squares;
}

// The change of the objective along the gradient, by central differences, over its square norm.
double slope_over_norm(const arch::ModelConfig& config, const ModelOptions& options) {
  const auto model = reference(config, options);
  const at::Tensor tokens_BS = tiny_batch();
  model->loss_and_backward(tokens_BS, 1, 0);
  at::Tensor& weights = model->params().weights();
  const at::Tensor gradient = model->params().grads().clone(), start = weights.clone();
  const double h = 1e-5;
  weights.copy_(start + h * gradient);
  const double above = objective(*model, tokens_BS, options.z_loss);
  weights.copy_(start - h * gradient);
  const double below = objective(*model, tokens_BS, options.z_loss);
  return (above - below) / (2 * h) / gradient.square().sum().item<double>();
}

}  // namespace

TEST_CASE("reference gradients are those of differences, with z-loss and without") {
  for (const arch::ModelConfig& config : reference_models()) {
    CAPTURE(describe(config));
    CHECK(slope_over_norm(config, {.precision = Precision::fp64}) == Approx(1).epsilon(1e-6));
    CHECK(slope_over_norm(config, {.precision = Precision::fp64, .z_loss = 0.1}) ==
          Approx(1).epsilon(1e-6));
  }
}

TEST_CASE("the loss that is returned holds no z-loss") {
  for (const arch::ModelConfig& config : reference_models()) {
    CAPTURE(describe(config));
    const at::Tensor tokens_BS = tiny_batch();
    const double plain = reference(config, {})->loss_and_backward(tokens_BS, 1, 0).item<double>();
    CHECK(reference(config, {.z_loss = 0.5})->loss_and_backward(tokens_BS, 1, 0).item<double>() ==
          plain);
  }
}

TEST_CASE("bfloat16 is near fp32, and keeps master weights and gradients in fp32") {
  for (const arch::ModelConfig& config : reference_models()) {
    CAPTURE(describe(config));
    const auto mixed = reference(config, {.precision = Precision::bf16}),
               exact = reference(config, {});
    CHECK(mixed->params().weights().scalar_type() == at::kFloat);
    CHECK(at::equal(mixed->params().weights(), exact->params().weights()));
    const at::Tensor tokens_BS = tiny_batch();
    const double found = mixed->loss_and_backward(tokens_BS, 1, 0).item<double>();
    const double wanted = exact->loss_and_backward(tokens_BS, 1, 0).item<double>();
    CHECK(found != wanted);
    CHECK(found == Approx(wanted).epsilon(0.01));
    CHECK(mixed->params().grads().scalar_type() == at::kFloat);
    const double error = error_of(mixed->params().grads(), exact->params().grads());
    CHECK(error > 0);
    CHECK(error < (config.experts > 0 ? 0.3 : 0.1));  // some tokens go to other experts
  }
}

TEST_CASE("bfloat16 sees new weights once it is told") {
  for (const arch::ModelConfig& config : reference_models()) {
    CAPTURE(describe(config));
    const auto model = reference(config, {.precision = Precision::bf16});
    const at::Tensor inputs_BT = tiny_batch().narrow(1, 0, 4);
    const at::Tensor before = model->logits(inputs_BT);
    model->params().weights().mul_(1.5);
    CHECK(at::equal(model->logits(inputs_BT), before));
    model->weights_changed();
    CHECK_FALSE(at::equal(model->logits(inputs_BT), before));
  }
}

TEST_CASE("dropout is a function of the seed, and touches training only") {
  for (const arch::ModelConfig& config : reference_models()) {
    CAPTURE(describe(config));
    const at::Tensor tokens_BS = tiny_batch();
    const auto gradients = [&](std::uint64_t seed) {
      const auto model = reference(config, {.dropout = 0.2});
      model->loss_and_backward(tokens_BS, 1, seed);
      return model->params().grads().clone();
    };
    const at::Tensor one = gradients(1);
    CHECK(at::equal(one, gradients(1)));
    CHECK_FALSE(at::equal(one, gradients(2)));
    const auto dropping = reference(config, {.dropout = 0.2}), plain = reference(config, {});
    CHECK(at::equal(dropping->row_losses(tokens_BS), plain->row_losses(tokens_BS)));
  }
}

TEST_CASE("blocks that are made again give the same bits, also with dropout") {
  for (const arch::ModelConfig& config : reference_models())
    for (const double dropout : {0.0, 0.2})
      for (const Precision precision : {Precision::fp32, Precision::bf16}) {
        CAPTURE(describe(config), dropout);
        const auto gradients = [&](Recompute recompute) {
          const auto model = reference(
              config, {.precision = precision, .dropout = dropout, .recompute = recompute});
          model->loss_and_backward(tiny_batch(), 1, 3);
          model->loss_and_backward(tiny_batch(), 1, 4);
          return model->params().grads().clone();
        };
        CHECK(at::equal(gradients(Recompute::blocks), gradients(Recompute::none)));
      }
}

TEST_CASE("row losses are means over each row, and their mean is the loss") {
  for (const arch::ModelConfig& config : reference_models()) {
    CAPTURE(describe(config));
    const auto model = reference(config, {.precision = Precision::fp64});
    const at::Tensor tokens_BS = tiny_batch();
    const at::Tensor losses_B = model->row_losses(tokens_BS);
    REQUIRE(losses_B.sizes() == at::IntArrayRef({kRows}));
    CHECK(losses_B.scalar_type() == at::kDouble);
    for (std::int64_t row = 0; row < kRows; ++row)
      CHECK(model->row_losses(tokens_BS.narrow(0, row, 1)).item<double>() ==
            Approx(losses_B[row].item<double>()).epsilon(1e-12));
    CHECK(model->loss_and_backward(tokens_BS, 1, 0).item<double>() ==
          Approx(losses_B.mean().item<double>()).epsilon(1e-12));
  }
}

TEST_CASE("a mask that shows everything is no mask, in bfloat16 too") {
  for (const arch::ModelConfig& config : reference_models()) {
    CAPTURE(describe(config));
    arch::ModelConfig old = config;
    old.ffn = config.ffn / 2;
    const auto loss_of = [&](Precision precision, bool masked) {
      const auto model = reference(config, {.precision = precision});
      model::ParamBuffer& params = model->params();
      const std::int64_t token = params.table().index("embed.token");
      // A large mean beside a small deviation: rounded statistics would show.
      params.view(params.weights(), static_cast<std::size_t>(token)).add_(20);
      model->weights_changed();
      if (masked) model->set_mask({.old = old, .visible = 1});
      return model->row_losses(tiny_batch()).mean().item<double>();
    };
    const double exact = loss_of(Precision::fp64, false);
    CHECK(loss_of(Precision::fp64, true) == Approx(exact).epsilon(1e-12));
    const double rounded = std::abs(loss_of(Precision::bf16, false) - exact);
    CHECK(std::abs(loss_of(Precision::bf16, true) - exact) <= 2 * rounded + 0.01);
  }
}

}  // namespace stagedtrain::test
