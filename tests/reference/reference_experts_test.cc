// Experts: routing against a plain loop, equal experts against one, the load-balancing loss.
#include "reference/reference_experts.h"

#include <ATen/Parallel.h>

#include "arch/architectures.h"
#include "model/running_model.h"

namespace stagedtrain::test {
namespace {

using model::Precision;
using model::RouterLoads;

constexpr std::int64_t kTokens = 17, kWidth = 6, kExperts = 5;

at::Tensor random(at::IntArrayRef shape) { return at::randn(shape, at::kDouble); }

arch::ModelConfig small_model(const char* architecture, std::int64_t experts) {
  return arch::resolved({.architecture = architecture,
                         .layers = 2,
                         .width = 8,
                         .heads = 2,
                         .ffn = 12,
                         .vocab = 23,
                         .context = 10,
                         .experts = experts});
}

std::unique_ptr<model::Model> filled(const arch::ModelConfig& config,
                                     Precision precision = Precision::fp64) {
  return make_filled(config, {.precision = precision});
}

// "layers.1.mlp.experts.3.up.weight" is made of "layers.1.mlp.up.weight".
std::string dense_name(const std::string& name) {
  const std::size_t begin = name.find(".experts.");
  if (begin == std::string::npos) return name;
  return name.substr(0, begin) + name.substr(name.find('.', begin + 9));
}

// Every expert is the dense model's feed-forward; the router stays as it is.
void copy_dense(model::Model& dense, model::Model& experts) {
  model::ParamBuffer &from = dense.params(), &to = experts.params();
  for (std::size_t i = 0; i < to.table().size(); ++i) {
    const std::string name = dense_name(to.table()[i].name);
    if (from.table().index(name) >= 0)
      to.view(to.weights(), i).copy_(from.view(from.weights(), name));
  }
}

}  // namespace

TEST_CASE("mixing is what a loop over tokens and their best experts gives") {
  at::manual_seed(3);
  const at::Tensor x = random({kTokens, kWidth}), router = random({kExperts, kWidth});
  const at::Tensor weights = random({kExperts, kWidth, kWidth});
  for (const auto& [k, normalised] : {std::pair(1L, true), {2L, true}, {5L, true}, {2L, false}}) {
    const at::Tensor found = model::mix_experts(
        x, router, k, normalised,
        [&](std::int64_t e, const at::Tensor& in) { return at::linear(in, weights[e]); }, nullptr);
    for (std::int64_t n = 0; n < kTokens; ++n) {
      const at::Tensor logits = at::linear(x[n], router);
      const auto [values, best] = at::topk(logits, k);
      const at::Tensor gates =
          normalised ? at::softmax(values, 0) : at::softmax(logits, 0).index({best});
      at::Tensor want = at::zeros({kWidth}, at::kDouble);
      for (std::int64_t i = 0; i < k; ++i)
        want += gates[i] * at::linear(x[n], weights[best[i].item<std::int64_t>()]);
      CHECK(error_of(found[n], want) <= 1e-13);
    }
  }
}

TEST_CASE("of equal experts the first are taken") {
  const at::Tensor x = at::ones({4, kWidth}, at::kDouble);
  const at::Tensor router = at::zeros({kExperts, kWidth}, at::kDouble);
  std::vector<std::int64_t> called;
  model::mix_experts(
      x, router, 2, /*normalised=*/true,
      [&](std::int64_t e, const at::Tensor& in) {
        called.push_back(e);
        return in;
      },
      nullptr);
  CHECK(called == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("equal experts are one feed-forward, whatever the router says") {
  for (const char* architecture : {"gpt2", "llama"}) {
    CAPTURE(architecture);
    const auto dense = filled(small_model(architecture, 0)),
               mixed = filled(small_model(architecture, 4));
    copy_dense(*dense, *mixed);
    const at::Tensor tokens = random_tokens(23, 3, 10);
    CHECK(error_of(mixed->logits(tokens), dense->logits(tokens)) <= 1e-13);
  }
}

TEST_CASE("the load-balancing loss is k where the load is even, and E where one has all") {
  RouterLoads even;
  const at::Tensor probabilities = at::full({10, kExperts}, 1.0 / kExperts, at::kDouble);
  const at::Tensor turns = at::arange(20, at::kLong).remainder(kExperts).view({10, 2});
  even.add(probabilities, turns);
  even.add(probabilities, turns);
  CHECK(even.balancing_loss().item<double>() == Approx(2).epsilon(1e-12));
  RouterLoads one;
  at::Tensor sure = at::zeros({10, kExperts}, at::kDouble);
  sure.select(1, 3).fill_(1);
  one.add(sure, at::full({10, 1}, 3, at::kLong));
  CHECK(one.balancing_loss().item<double>() == Approx(kExperts).epsilon(1e-12));
}

TEST_CASE("balancing moves gradients, routers' too, and no loss") {
  arch::ModelConfig config = small_model("llama", 4);
  const at::Tensor tokens = random_tokens(23, 3, 11);
  std::vector<double> losses, evaluated;
  std::vector<at::Tensor> routers;
  for (const double router_loss : {0.0, 0.5}) {
    config.router_loss = router_loss;
    const auto model = filled(config);
    losses.push_back(model->loss_and_backward(tokens, 1, 0).item<double>());
    evaluated.push_back(model->row_losses(tokens).mean().item<double>());
    routers.push_back(
        model->params().view(model->params().grads(), "layers.0.mlp.router.weight").clone());
  }
  CHECK(losses[0] == losses[1]);
  CHECK(evaluated[0] == evaluated[1]);
  CHECK(evaluated[0] == Approx(losses[0]).epsilon(1e-12));
  CHECK(error_of(routers[0], routers[1]) > 1e-3);
}

TEST_CASE("two runs with experts give the same bits") {
  at::set_num_threads(2);
  const at::Tensor tokens = random_tokens(23, 8, 11);
  std::vector<at::Tensor> grads;
  for (int run = 0; run < 2; ++run) {
    const auto model = filled(small_model("gpt2", 4), Precision::fp32);
    model->loss_and_backward(tokens, 1, 0);
    grads.push_back(model->params().grads().clone());
  }
  CHECK(at::equal(grads[0], grads[1]));
}

}  // namespace stagedtrain::test
