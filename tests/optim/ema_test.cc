// The moving average of the weights: its formula, and that exchanging it loses no bit.
#include "optim/ema.h"

#include <ATen/Parallel.h>

#include "arch/architectures.h"
#include "support/catch.h"
#include "support/tiny_state.h"

using namespace stagedtrain;

namespace {

model::ParamBuffer buffer(at::ScalarType type) {
  model::ParamBuffer params(arch::param_table(test::tiny_model()), type, at::kCPU);
  at::manual_seed(1);
  params.weights().copy_(at::randn({params.weights().numel()}, at::kDouble));
  params.keep_ema();
  params.weights().copy_(at::randn({params.weights().numel()}, at::kDouble));
  return params;
}

}  // namespace

TEST_CASE("an average keeps `decay` of itself and takes the rest from the weights") {
  const at::ScalarType type = GENERATE(at::kFloat, at::kDouble);
  const double decay = GENERATE(0.0, 0.9, 0.999, 1.0);
  CAPTURE(decay);
  model::ParamBuffer params = buffer(type);
  const at::Tensor before = params.ema().to(at::kDouble).clone(),
                   weights = params.weights().clone();
  train::ema_step(params, decay);
  const at::Tensor expected = decay * before + (1 - decay) * weights.to(at::kDouble);
  const double error = (params.ema().to(at::kDouble) - expected).abs().max().item<double>();
  CHECK(error <= (type == at::kFloat ? 1e-6 : 1e-15));
  CHECK(at::equal(params.weights(), weights));
}

TEST_CASE("the bits of an average do not depend on the number of threads") {
  const int before = at::get_num_threads();
  std::vector<at::Tensor> averages;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    model::ParamBuffer params(arch::param_table(test::tiny_model(2, 64)), at::kFloat, at::kCPU);
    at::manual_seed(2);
    params.keep_ema();
    params.weights().copy_(at::randn({params.weights().numel()}));
    REQUIRE(params.weights().numel() > 2 << 15);  // more than one thread's share
    for (int i = 0; i < 3; ++i) train::ema_step(params, 0.99);
    averages.push_back(params.ema());
  }
  at::set_num_threads(before);
  CHECK(at::equal(averages[0], averages[1]));
  CHECK(at::equal(averages[0], averages[2]));
}

TEST_CASE("a model computes with the average and has its weights again afterwards") {
  const auto precision = GENERATE(model::Precision::fp32, model::Precision::bf16);
  const arch::ModelConfig config = test::tiny_model();
  const auto live = model::make_model(config, {.precision = precision});
  live->params().load(state::fresh(config, 1));
  live->weights_changed();
  live->params().keep_ema();
  const at::Tensor tokens = at::arange(32, at::kLong).view({2, 16});
  const at::Tensor average_loss = live->row_losses(tokens);  // of what becomes the average
  live->params().weights().mul_(1.5);
  live->weights_changed();
  const at::Tensor weights = live->params().weights().clone(), loss = live->row_losses(tokens);
  const at::Tensor average = live->params().ema().clone();
  REQUIRE_FALSE(at::equal(loss, average_loss));
  {
    const train::AveragedWeights averaged(*live);
    CHECK(at::equal(live->row_losses(tokens), average_loss));
  }
  CHECK(at::equal(live->params().weights(), weights));
  CHECK(at::equal(live->params().ema(), average));
  CHECK(at::equal(live->row_losses(tokens), loss));
}
