// What a parameterization is for: activations and updates of the same size at every width, and
// multipliers that are folded into weights without any difference.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

#include "arch/architectures.h"
#include "laws/running_state.h"
#include "model/running_model.h"
#include "optim/adamw.h"
#include "state/training_state.h"
#include "support/catch.h"

using namespace stagedtrain;
using arch::Axis;
using arch::Role;

namespace {

constexpr std::int64_t kVocab = 64, kContext = 16;

// The mean absolute value of what each block adds to the residual stream, of the stream behind the
// last block, and of the logits.
struct Activations {
  std::vector<double> blocks;
  double stream = 0, logits = 0;
};

double mean_size(const at::Tensor& x) { return x.abs().mean().item<double>(); }

// A forward pass of GPT-2 written anew, to see what a Model does not show. [B, T] tokens.
Activations activations(model::Model& model, const at::Tensor& tokens_BT) {
  const at::NoGradGuard no_grad;
  model::ParamBuffer& params = model.params();
  const arch::ModelConfig& c = model.config();
  const auto w = [&](const std::string& name) { return params.view(params.weights(), name); };
  const auto linear = [&](const at::Tensor& x, const std::string& name) {
    return at::linear(x, w(name + ".weight"), w(name + ".bias"));
  };
  const auto norm = [&](const at::Tensor& x, const std::string& name) {
    return at::layer_norm(x, {c.width}, w(name + ".weight"), w(name + ".bias"), c.norm_eps);
  };
  const std::int64_t rows = tokens_BT.size(0), length = tokens_BT.size(1);
  const auto heads = [&](const at::Tensor& x) {
    return x.view({rows, length, c.heads, c.head_dim}).transpose(1, 2);
  };
  Activations found;
  at::Tensor x = at::embedding(w("embed.token"), tokens_BT) + w("embed.position");
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = fmt::format("layers.{}.", i);
    const at::Tensor before = x, n = norm(x, layer + "norm_1");
    const at::Tensor mixed = at::scaled_dot_product_attention(
        heads(linear(n, layer + "attention.query")), heads(linear(n, layer + "attention.key")),
        heads(linear(n, layer + "attention.value")), {}, 0.0, true);
    x = x +
        linear(mixed.transpose(1, 2).reshape({rows, length, c.width}), layer + "attention.output");
    const at::Tensor hidden = linear(norm(x, layer + "norm_2"), layer + "mlp.up");
    x = x + linear(at::gelu(hidden, "tanh"), layer + "mlp.down");
    found.blocks.push_back(mean_size(x - before));
  }
  const at::Tensor logits = at::linear(norm(x, "final_norm"), w("embed.token"));
  REQUIRE(test::error_of(logits, model.logits(tokens_BT)) < 1e-4);  // this pass is the model's
  found.stream = mean_size(x);
  found.logits = mean_size(logits);
  return found;
}

// A fresh GPT-2 with heads of 32 after a few steps of AdamW on one batch.
Activations after_training(std::int64_t layers, std::int64_t width,
                           arch::Parameterization parameterization) {
  const arch::ModelConfig config = arch::resolved({.layers = layers,
                                                   .width = width,
                                                   .heads = width / 32,
                                                   .vocab = kVocab,
                                                   .context = kContext,
                                                   .parameterization = parameterization});
  const auto model = model::make_model(config, {.kernels = model::Kernels::reference});
  model->params().load(state::fresh(config, 1));
  model->weights_changed();
  const at::Tensor tokens_BS = test::random_tokens(kVocab, 4, kContext + 1);
  for (int step = 1; step <= 8; ++step) {
    model->loss_and_backward(tokens_BS, 1.0, 0);
    train::adamw_step(model->params(), {}, 1e-2, step, 1);
  }
  return activations(*model, tokens_BS.narrow(1, 0, kContext));
}

double ratio(const std::vector<double>& sizes) {
  const auto [least, most] = std::ranges::minmax(sizes);
  return most / least;
}

// For each activation, its largest over its smallest size at widths 64 to 512.
std::vector<double> spreads(arch::Parameterization parameterization) {
  std::vector<std::vector<double>> sizes(3);
  for (const std::int64_t width : {64, 128, 256, 512}) {
    const Activations found = after_training(2, width, parameterization);
    sizes[0].push_back(found.logits);
    for (std::size_t i = 0; i < 2; ++i) sizes[1 + i].push_back(found.blocks[i]);
  }
  std::vector<double> all;
  for (const auto& one : sizes) all.push_back(ratio(one));
  return all;
}

}  // namespace

TEST_CASE("coordinate check: with muP, activations after training do not depend on the width") {
  for (const double spread : spreads({.base_width = 64})) CHECK(spread < 2);
  for (const double spread : spreads({})) CHECK(spread > 2);
}

TEST_CASE("coordinate check: with CompleteP, the stream does not grow with the depth") {
  const auto spread = [](bool scaled) {
    std::vector<double> streams;
    for (const std::int64_t layers : {2, 4, 8, 16})
      streams.push_back(after_training(layers, 64,
                                       scaled ? arch::Parameterization{64, 2, layers}
                                              : arch::Parameterization{})
                            .stream);
    return ratio(streams);
  };
  CHECK(spread(true) < 1.5);
  CHECK(spread(false) > 2);
}

namespace {

// The parts of a tensor's scales, as the papers have them: multipliers in the forward pass, and the
// optimizer's factors that belong to these.
struct Unfolded {
  double multiplier = 1;
  state::TensorHistory history;
};

double widening(const arch::ModelConfig& large, const arch::ModelConfig& base, Axis axis) {
  if (axis == Axis::ffn) return static_cast<double>(large.ffn) / static_cast<double>(base.ffn);
  const bool grows = axis != Axis::vocab && axis != Axis::position && axis != Axis::entry;
  return grows ? static_cast<double>(large.width) / static_cast<double>(base.width) : 1;
}

// CompleteP's table 1 with alpha = 1; m is base_layers / final_layers.
Unfolded unfolded(const arch::ParamSpec& spec, const arch::ModelConfig& large,
                  const arch::ModelConfig& base, double m) {
  const double out = widening(large, base, spec.axes[0].axis),
               residual = widening(large, base, Axis::residual);
  Unfolded one;
  one.history.eps_scale = 1 / (spec.axes.size() == 1 || spec.layer >= 0 ? out : residual);
  if (spec.layer >= 0) {
    one.history.eps_scale *= m;
    if (spec.axes.size() == 2) {
      const double in = widening(large, base, spec.axes[1].axis);
      one.history.lr_scale = 1 / in;
      one.history.decay_scale = in;
    }
    const bool ends = spec.role == Role::residual_out || spec.role == Role::branch_norm;
    if (ends) one.multiplier = m;
  } else if (spec.role == Role::head || (spec.role == Role::final_norm && large.tied)) {
    one.multiplier = 1 / residual;
  }
  return one;
}

}  // namespace

TEST_CASE("folded multipliers train as explicit ones do, to 1e-12 in float64") {
  const test::OneThread quick;
  for (const auto& [architecture, tied] : {std::pair{"gpt2", true},
                                           {"gpt2", false},
                                           {"llama", false},
                                           {"qwen3", true},
                                           {"olmo2", true},
                                           {"neox", false}}) {
    CAPTURE(architecture, tied);
    const auto config = [&, architecture = architecture, tied = tied](std::int64_t width) {
      return arch::resolved({.architecture = architecture,
                             .layers = 3,
                             .width = width,
                             .heads = width / 4,
                             .ffn = 0,
                             .vocab = 11,
                             .context = 7,
                             .tied = tied,
                             .norm_eps = 1e-2});
    };
    const arch::ModelConfig base = config(8);
    arch::ModelConfig folded_config = config(24), plain_config = config(24);
    folded_config.parameterization = {8, 2, 6};
    plain_config.logit_scale = 8.0 / 24;
    const double m = 2.0 / 6;
    const model::ModelOptions options{.precision = model::Precision::fp64,
                                      .kernels = model::Kernels::reference};
    const auto folded = model::make_model(folded_config, options),
               plain = model::make_model(plain_config, options);
    const arch::ParamTable table = arch::param_table(folded_config);
    folded->params().load(test::law_state(folded_config));
    folded->params().set_histories(state::fresh_histories(folded_config));
    std::vector<Unfolded> parts;
    std::vector<state::TensorHistory> histories;
    for (std::size_t i = 0; i < table.size(); ++i) {
      parts.push_back(unfolded(table[i], plain_config, base, m));
      histories.push_back(parts.back().history);
      const auto view = [&](model::Model& model) {
        return model.params().view(model.params().weights(), i);
      };
      view(*plain).copy_(view(*folded) / parts.back().multiplier);
    }
    plain->params().set_histories(histories);
    plain->set_work(arch::scaled_layers({m, m, m}));
    for (model::Model* model : {folded.get(), plain.get()}) {
      model->params().exp_avg().zero_();
      model->params().exp_avg_sq().zero_();
    }
    for (int step = 1; step <= 5; ++step) {
      const at::Tensor tokens_BS = test::batch(folded_config, step);
      const double a = folded->loss_and_backward(tokens_BS, 1.0, 0).item<double>(),
                   b = plain->loss_and_backward(tokens_BS, 1.0, 0).item<double>();
      CHECK(std::abs(a / b - 1) < 1e-12);
      for (model::Model* model : {folded.get(), plain.get()})
        train::adamw_step(model->params(), {.eps = 1e-3, .weight_decay = 0.3}, 1e-2, step, 1);
    }
    for (std::size_t i = 0; i < table.size(); ++i) {
      CAPTURE(table[i].name);
      const at::Tensor found = folded->params().view(folded->params().weights(), i),
                       wanted = plain->params().view(plain->params().weights(), i);
      CHECK(test::error_of(found, wanted * parts[i].multiplier) < 1e-12);
    }
  }
}
