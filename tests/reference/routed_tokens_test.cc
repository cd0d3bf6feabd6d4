// Routed layers on reference kernels: which tokens pass, what they see, gradients, and sampling.
#include "reference/routed_tokens.h"

#include <ATen/core/grad_mode.h>

#include "eval/sample.h"
#include "model/working_models.h"
#include "reference/decoder.h"

namespace stagedtrain::test {
namespace {

using model::RouterLabels;

constexpr std::int64_t kRows = 3, kLength = 7, kWidth = 5;

// The keys of routing alone.
arch::ModelConfig keys(double share, double base = 1, double gain = 1) {
  return {.routed_every = 1, .routed_share = share, .routed_base = base, .routed_gain = gain};
}

arch::ModelConfig routed(arch::ModelConfig config, std::int64_t every, double share,
                         double base = 1, double gain = 1) {
  config.routed_every = every;
  config.routed_share = share;
  config.routed_base = base;
  config.routed_gain = gain;
  return arch::resolved(config);
}

// Without experts, which exclude routed layers.
std::vector<arch::ModelConfig> dense_configs() {
  std::vector<arch::ModelConfig> all = configs();
  std::erase_if(all, [](const arch::ModelConfig& config) { return config.experts > 0; });
  return all;
}

at::Tensor random(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }

// A layer in which each token becomes a function of itself, of its position and of the tokens
// before it in the order that it is given.
at::Tensor some_layer(const at::Tensor& positions_BK, const at::Tensor& x_BKC) {
  const at::Tensor places = positions_BK.defined()
                                ? positions_BK.to(at::kDouble).unsqueeze(2)
                                : at::arange(x_BKC.size(1), at::kDouble).view({1, -1, 1});
  return x_BKC + (0.3 * x_BKC.cumsum(1) + 0.1 * places).tanh();
}

// The same for one sequence, of which the tokens that `passes` says take part, one after another.
at::Tensor routed_by_hand(const at::Tensor& x_TC, const at::Tensor& passes_T,
                          const at::Tensor& factors_T) {
  at::Tensor y_TC = x_TC.clone(), sum_C = at::zeros({x_TC.size(1)}, at::kDouble);
  for (std::int64_t t = 0; t < x_TC.size(0); ++t) {
    if (!passes_T[t].item<bool>()) continue;
    sum_C = sum_C + x_TC[t];
    y_TC[t] = x_TC[t] + factors_T[t] * (0.3 * sum_C + 0.1 * static_cast<double>(t)).tanh();
  }
  return y_TC;
}

at::Tensor all_by_hand(const at::Tensor& x_BTC, const at::Tensor& passes_BT,
                       const at::Tensor& factors_BT) {
  std::vector<at::Tensor> rows;
  for (std::int64_t b = 0; b < x_BTC.size(0); ++b)
    rows.push_back(routed_by_hand(x_BTC[b], passes_BT[b], factors_BT[b]));
  return at::stack(rows);
}

at::Tensor scores_of(const at::Tensor& x_BTC, const at::Tensor& router_1C) {
  return at::matmul(x_BTC, router_1C[0]).sigmoid();
}

// Whether each token is among the `count` of the largest values, of equal ones the first: by
// counting those that come before it.
at::Tensor best(const at::Tensor& values_BT, std::int64_t count) {
  const at::Tensor flat = values_BT.flatten(), place = at::arange(flat.numel());
  const at::Tensor larger = flat.unsqueeze(0) > flat.unsqueeze(1),
                   equal = flat.unsqueeze(0) == flat.unsqueeze(1),
                   earlier = place.unsqueeze(0) < place.unsqueeze(1);
  return (larger.logical_or(equal.logical_and(earlier)).sum(1) < count).view(values_BT.sizes());
}

}  // namespace

TEST_CASE("training takes the largest scores of all rows, evaluation those of at least 1/2") {
  at::manual_seed(5);
  for (const double share : {0.1, 0.4, 0.8, 1.0})
    for (const auto& [base, gain] : {std::pair{1.0, 1.0}, {2.0, 0.0}, {2.0, 0.05}, {0.7, 1.3}}) {
      CAPTURE(share, base, gain);
      const at::Tensor x = random({kRows, kLength, kWidth}), router = random({1, kWidth});
      const at::Tensor scores = scores_of(x, router);
      const at::Tensor factors = base / 2 + (scores - 0.5) * gain;
      const auto count = static_cast<std::int64_t>(std::ceil(share * kRows * kLength - 1e-6));
      RouterLabels labels;
      const at::Tensor trained =
          model::route_tokens(x, router, keys(share, base, gain), some_layer, &labels);
      CHECK(error_of(trained, all_by_hand(x, best(scores, count), factors)) < 1e-13);
      const at::Tensor evaluated =
          model::route_tokens(x, router, keys(share, base, gain), some_layer, nullptr);
      CHECK(error_of(evaluated, all_by_hand(x, scores >= 0.5, factors)) < 1e-13);
    }
}

TEST_CASE("among equal scores the first tokens pass, and a router of zeros lets all of them pass") {
  const at::Tensor x = random({kRows, kLength, kWidth}),
                   router = at::zeros({1, kWidth}, at::kDouble);
  const at::Tensor ones = at::ones({kRows, kLength}, at::kDouble);
  const at::Tensor first_ten = at::arange(kRows * kLength).view({kRows, kLength}) < 10;
  RouterLabels labels;
  const at::Tensor trained =
      model::route_tokens(x, router, keys(10.0 / 21, 2, 0.5), some_layer, &labels);
  CHECK(error_of(trained, all_by_hand(x, first_ten, ones)) < 1e-13);
  const at::Tensor evaluated =
      model::route_tokens(x, router, keys(0.1, 2, 0.5), some_layer, nullptr);
  CHECK(error_of(evaluated, all_by_hand(x, ones > 0, ones)) < 1e-13);
}

TEST_CASE("in evaluation a layer that no token passes is left out") {
  const at::Tensor x = at::ones({2, 3, kWidth}, at::kDouble),
                   router = at::full({1, kWidth}, -1.0, at::kDouble);
  bool ran = false;
  const at::Tensor y = model::route_tokens(
      x, router, keys(0.5),
      [&](const at::Tensor&, const at::Tensor& in) {
        ran = true;
        return in;
      },
      nullptr);
  CHECK(y.equal(x));
  CHECK_FALSE(ran);
}

TEST_CASE("labels are the own choice, or the tokens whose direction a layer changes most") {
  at::manual_seed(8);
  for (const char* kind : {"own", "similarity"}) {
    CAPTURE(kind);
    const at::Tensor x = random({kRows, kLength, kWidth});
    const at::Tensor router = random({1, kWidth}).requires_grad_(true);
    arch::ModelConfig config = keys(0.4);
    config.routed_labels = kind;
    RouterLabels labels;
    const at::AutoGradMode grad_on(true);
    model::route_tokens(x, router, config, some_layer, &labels);
    labels.mean_loss().backward();
    const at::Tensor s = scores_of(x, router.detach());
    const at::Tensor y = some_layer({}, x);
    const at::Tensor cosines = (x * y).sum(2) / (x.norm(2, 2) * y.norm(2, 2));
    const at::Tensor wanted = best(config.routed_labels == "own" ? s : -cosines, 9).to(at::kDouble);
    const at::Tensor loss = -(wanted * s.log() + (1 - wanted) * (1 - s).log()).mean();
    CHECK(labels.mean_loss().item<double>() == Approx(loss.item<double>()).epsilon(1e-12));
    const at::Tensor gradient = ((s - wanted).unsqueeze(2) * x).flatten(0, 1).mean(0, true);
    CHECK(error_of(router.grad(), gradient) < 1e-12);
  }
}

TEST_CASE("the routers' loss is the mean over layers, and is left out where it has no weight") {
  const at::Tensor a = random({2, 3}), b = random({2, 3}), t = random({2, 3}) > 0;
  RouterLabels one, other, both;
  one.add(a, t);
  other.add(b, t);
  both.add(a, t);
  both.add(b, t);
  const double wanted = one.mean_loss().item<double>() + other.mean_loss().item<double>();
  CHECK(both.mean_loss().item<double>() == Approx(wanted / 2).epsilon(1e-14));
  for (const char* kind : {"own", "similarity"}) {
    arch::ModelConfig config = keys(0.5);
    config.routed_labels = kind;
    config.routed_loss = 0;
    int runs = 0;
    RouterLabels labels;
    model::route_tokens(
        random({2, 3, kWidth}), random({1, kWidth}), config,
        [&](const at::Tensor&, const at::Tensor& in) {
          ++runs;
          return in;
        },
        &labels);
    CHECK(runs == 1);
  }
}

TEST_CASE("all tokens with the factor 1 are the dense model, to the bit") {
  for (const arch::ModelConfig& dense : dense_configs())
    for (const Precision precision : {Precision::fp32, Precision::fp64}) {
      CAPTURE(dense.architecture);
      const model::ModelOptions options{.precision = precision, .kernels = Kernels::reference};
      const auto plain = make_filled(dense, options);
      const auto with_routers = model::make_model(routed(dense, 2, 1, 2, 0), options);
      model::ParamBuffer &from = plain->params(), &to = with_routers->params();
      to.weights().zero_();  // the routers' stay so
      for (std::size_t i = 0; i < to.table().size(); ++i)
        if (!arch::is_token_router(to.table()[i]))
          to.view(to.weights(), i).copy_(from.view(from.weights(), to.table()[i].name));
      with_routers->weights_changed();
      const Pass wanted = pass_of(*plain), found = pass_of(*with_routers);
      CHECK(found.loss == wanted.loss);
      CHECK(with_routers->row_losses(batch()).equal(plain->row_losses(batch())));
      for (std::size_t i = 0; i < to.table().size(); ++i) {
        const at::Tensor here = to.view(found.grads, i);
        if (arch::is_token_router(to.table()[i]))
          CHECK(here.abs().max().item<double>() > 0);
        else
          CHECK(here.equal(from.view(wanted.grads, to.table()[i].name)));
      }
    }
}

TEST_CASE("gradients of routed models are slopes of the loss") {
  for (const arch::ModelConfig& dense : dense_configs())
    for (const char* kind : {"own", "similarity"}) {
      CAPTURE(dense.architecture, kind);
      arch::ModelConfig config = routed(dense, 2, 0.4, 1.5, 0.8);
      config.routed_labels = kind;
      config.routed_loss = 0;  // the loss that a pass returns leaves it out
      const auto model =
          make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
      const at::Tensor grads = pass_of(*model).grads * 2;  // pass_of scales by 0.5
      at::manual_seed(3);
      for (int i = 0; i < 3; ++i) {
        const at::Tensor direction = at::randn_like(grads);
        const double wanted = slope_along(*model, direction, 1e-7);
        CHECK((grads * direction).sum().item<double>() == Approx(wanted).epsilon(1e-6));
      }
      // Along the routers alone, whose scores are factors of what the layers add.
      at::Tensor routers = at::zeros_like(grads);
      const arch::ParamTable& table = model->params().table();
      for (std::size_t i = 0; i < table.size(); ++i)
        if (arch::is_token_router(table[i])) model->params().view(routers, i).normal_();
      const double slope = (grads * routers).sum().item<double>();
      CHECK(std::abs(slope) > 1e-6);
      CHECK(slope == Approx(slope_along(*model, routers, 1e-6)).epsilon(1e-5));
    }
}

TEST_CASE("a pass adds the gradient of the routers' loss, times its coefficient and the scale") {
  for (const arch::ModelConfig& dense : dense_configs()) {
    CAPTURE(dense.architecture);
    arch::ModelConfig config = routed(dense, 1, 0.4);
    config.layers = 1;
    const auto with_loss = [&](double coefficient) {
      config.routed_loss = coefficient;
      return make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
    };
    const auto some = with_loss(0.3), none = with_loss(0);
    model::ParamBuffer& params = some->params();
    const at::Tensor more = pass_of(*some).grads - pass_of(*none).grads;
    // The only layer's input is the embeddings.
    const at::Tensor tokens = batch().narrow(1, 0, 24);
    at::Tensor x = params.view(params.weights(), "embed.token").index_select(0, tokens.flatten());
    x = x.view({5, 24, 16});
    if (dense.architecture == "gpt2")
      x = x + params.view(params.weights(), "embed.position").narrow(0, 0, 24);
    const at::Tensor s =
        scores_of(x, params.view(params.weights(), "layers.0.token_router.weight"));
    const at::Tensor wanted = (s - best(s, 48).to(at::kDouble)).unsqueeze(2) * x;
    CHECK(error_of(params.view(more, "layers.0.token_router.weight"),
                   0.5 * 0.3 * wanted.flatten(0, 1).mean(0, true)) < 1e-10);
  }
}

TEST_CASE("in evaluation tokens that pass see one another alone") {
  // Without position embeddings, the tokens of a GPT-2 that pass are a text of their own.
  const arch::ModelConfig dense = dense_configs().front();
  REQUIRE(dense.architecture == "gpt2");
  arch::ModelConfig config = routed(dense, 1, 0.5, 2, 0);
  config.layers = 1;
  const model::ModelOptions options{.precision = Precision::fp64, .kernels = Kernels::reference};
  arch::ModelConfig one = dense, no_layer = dense;
  one.layers = 1;
  no_layer.layers = 0;
  const auto model = make_filled(config, options), plain = model::make_model(one, options),
             head = model::make_model(no_layer, options);
  model::ParamBuffer& from = model->params();
  from.view(from.weights(), "embed.position").zero_();
  for (const auto* other : {plain.get(), head.get()}) {
    model::ParamBuffer& to = const_cast<model::Model*>(other)->params();
    for (std::size_t i = 0; i < to.table().size(); ++i)
      to.view(to.weights(), i).copy_(from.view(from.weights(), to.table()[i].name));
  }
  const at::Tensor tokens_T = batch()[0].narrow(0, 0, 24);
  const at::Tensor x = from.view(from.weights(), "embed.token").index_select(0, tokens_T);
  const at::Tensor passes_T =
      at::matmul(x, from.view(from.weights(), "layers.0.token_router.weight")[0]) >= 0;
  const at::Tensor in_T = passes_T.nonzero().flatten(),
                   out_T = passes_T.logical_not().nonzero().flatten();
  REQUIRE(in_T.numel() > 3);
  REQUIRE(out_T.numel() > 3);
  const at::Tensor found = model->logits(tokens_T.unsqueeze(0))[0];
  CHECK(error_of(found.index_select(0, in_T),
                 plain->logits(tokens_T.index_select(0, in_T).unsqueeze(0))[0]) < 1e-12);
  CHECK(error_of(found.index_select(0, out_T),
                 head->logits(tokens_T.index_select(0, out_T).unsqueeze(0))[0]) < 1e-12);
}

TEST_CASE("evaluation is causal, and does not depend on the other rows") {
  for (const arch::ModelConfig& dense : dense_configs()) {
    CAPTURE(dense.architecture);
    const auto model = make_filled(routed(dense, 2, 0.5),
                                   {.precision = Precision::fp64, .kernels = Kernels::reference});
    const at::Tensor tokens = batch().narrow(1, 0, 24);
    const at::Tensor whole = model->logits(tokens);
    CHECK(error_of(model->logits(tokens.narrow(1, 0, 11)), whole.narrow(1, 0, 11)) < 1e-12);
    CHECK(error_of(model->logits(tokens.narrow(0, 2, 1)), whole.narrow(0, 2, 1)) < 1e-12);
  }
}

TEST_CASE("what is written is what the model finds likeliest in what was written before") {
  for (const arch::ModelConfig& dense : dense_configs()) {
    CAPTURE(dense.architecture);
    const auto model = make_filled(routed(dense, 2, 0.5),
                                   {.precision = Precision::fp64, .kernels = Kernels::reference});
    CHECK(model::make_decoder(*model) == nullptr);
    std::vector<std::int64_t> text{3, 1, 4};
    eval::sample(*model, text, {.tokens = 12, .temperature = 0},
                 [&](std::int64_t id) { text.push_back(id); });
    const at::Tensor logits = model->logits(at::tensor(text, at::kLong).unsqueeze(0))[0];
    for (std::size_t t = 3; t < text.size(); ++t)
      CHECK(logits[static_cast<std::int64_t>(t) - 1].argmax().item<std::int64_t>() == text[t]);
  }
}

TEST_CASE("routed models recompute blocks to the same bits, and run in bf16") {
  for (const arch::ModelConfig& dense : dense_configs())
    for (const char* kind : {"own", "similarity"}) {
      CAPTURE(dense.architecture, kind);
      arch::ModelConfig config = routed(dense, 2, 0.4);
      config.routed_labels = kind;
      const auto stored = make_filled(config, {.kernels = Kernels::reference}),
                 again = make_filled(
                     config, {.kernels = Kernels::reference, .recompute = Recompute::blocks});
      const Pass wanted = pass_of(*stored), found = pass_of(*again);
      CHECK(found.loss == wanted.loss);
      CHECK(found.grads.equal(wanted.grads));
      const auto half = make_filled(config, {.precision = Precision::bf16});
      CHECK(pass_of(*half).loss == Approx(wanted.loss).epsilon(0.02));
    }
}

TEST_CASE("frozen layers of routed models leave all other gradients as they are") {
  const arch::ModelConfig config = routed(dense_configs()[1], 2, 0.4);
  const auto model = make_filled(config, {.kernels = Kernels::reference});
  const Pass whole = pass_of(*model);
  const arch::ParamTable& table = model->params().table();
  for (const std::int64_t lowest : {std::int64_t{1}, config.layers - 1}) {
    std::vector<bool> frozen;
    for (const arch::ParamSpec& spec : table)
      frozen.push_back(spec.layer >= 0 ? spec.layer < lowest : spec.role == arch::Role::embed);
    model->params().set_histories(std::vector<state::TensorHistory>(table.size()), 0,
                                  {.frozen = frozen});
    const Pass part = pass_of(*model);
    CHECK(part.loss == whole.loss);
    for (std::size_t i = 0; i < table.size(); ++i)
      if (!frozen[i])
        CHECK(model->params().view(part.grads, i).equal(model->params().view(whole.grads, i)));
  }
}

TEST_CASE("fused kernels are chosen for models without routed layers only") {
  const arch::ModelConfig dense = dense_configs().front();
  CHECK(std::string(model::make_model(dense, {})->kernels_name()) == "fused");
  CHECK(std::string(model::make_model(routed(dense, 2, 0.5), {})->kernels_name()) == "reference");
}

}  // namespace stagedtrain::test
