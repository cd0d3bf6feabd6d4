// What holds for a step of every optimizer: frozen tensors, the 16-bit copy, parts of several ages.
#include "optim/optimizer.h"

#include "arch/architectures.h"
#include "support/catch.h"

using namespace stagedtrain;
using schedule::OptimizerName;

namespace {

arch::ModelConfig two_layers() {
  arch::ModelConfig model;
  model.layers = 2;
  model.width = 12;
  model.heads = 2;
  model.ffn = 20;
  model.vocab = 11;
  model.context = 7;
  return arch::resolved(model);
}

schedule::Schedule scheduled(OptimizerName name) {
  schedule::Schedule schedule;
  schedule.optimizer.name = name;
  schedule::settle(schedule.optimizer, nullptr);
  return schedule;
}

std::vector<OptimizerName> all_optimizers() {
  std::vector<OptimizerName> all;
  for (std::size_t i = 0; i < EnumNames<OptimizerName>::names.size(); ++i)
    all.push_back(static_cast<OptimizerName>(i));
  return all;
}

model::ParamBuffer random_params(at::ScalarType type) {
  model::ParamBuffer params(arch::param_table(two_layers()), type, at::kCPU);
  at::manual_seed(3);
  for (at::Tensor* flat : {&params.weights(), &params.grads(), &params.exp_avg()})
    flat->copy_(at::randn({flat->numel()}));
  return params;
}

void take_step(OptimizerName name, model::ParamBuffer& params) {
  train::Optimizer(scheduled(name)).step(params, 0.01, 5, 0.5);
}

}  // namespace

TEST_CASE("every optimizer leaves frozen tensors and their moments as they are, moves all others") {
  for (const OptimizerName name : all_optimizers()) {
    CAPTURE(enum_name(name));
    model::ParamBuffer params = random_params(at::kFloat);
    const arch::ParamTable& table = params.table();
    std::vector<state::TensorHistory> histories(table.size());
    for (std::size_t i = 0; i < table.size(); ++i) histories[i].generation = table[i].layer == 1;
    params.set_histories(histories, 1);
    const at::Tensor weights = params.weights().clone(), momentum = params.exp_avg().clone();
    take_step(name, params);
    CHECK(params.grads().count_nonzero().item<std::int64_t>() == 0);
    for (std::size_t i = 0; i < table.size(); ++i) {
      CAPTURE(table[i].name);
      const bool stays = table[i].layer != 1;
      CHECK(params.view(params.weights(), i).equal(params.view(weights, i)) == stays);
      CHECK(params.view(params.exp_avg(), i).equal(params.view(momentum, i)) == stays);
    }
  }
}

TEST_CASE("every optimizer brings the 16-bit copy of the weights up to date") {
  for (const OptimizerName name : all_optimizers()) {
    CAPTURE(enum_name(name));
    model::ParamBuffer params = random_params(at::kFloat);
    params.keep_copy();
    const at::Tensor before = params.copy().clone();
    take_step(name, params);
    CHECK(!params.copy().equal(before));
    CHECK(params.copy().equal(params.weights().to(at::kBFloat16)));
  }
}

TEST_CASE("Muon uses no second moment on its matrices, and orthogonalizes each matrix alone") {
  model::ParamBuffer params = random_params(at::kDouble);
  const at::Tensor before = params.weights().clone();
  schedule::Schedule schedule = scheduled(OptimizerName::muon);
  schedule.optimizer.weight_decay = 0;
  train::Optimizer(schedule).step(params, 1, 1, 1);
  int matrices = 0;
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const arch::ParamSpec& spec = params.table()[i];
    CAPTURE(spec.name);
    const bool muon = spec.layer >= 0 && spec.axes.size() == 2;
    const at::Tensor second = params.view(params.exp_avg_sq(), i);
    CHECK((second.count_nonzero().item<std::int64_t>() == 0) == muon);
    if (!muon) continue;
    ++matrices;
    const at::Tensor moved = params.view(before, i) - params.view(params.weights(), i);
    const double scale =
        std::sqrt(static_cast<double>(moved.size(0)) / static_cast<double>(moved.size(1)));
    const at::Tensor values = at::linalg_svdvals(moved / scale);
    CHECK(values.min().item<double>() > 0.3);  // the iteration's range, but for the smallest
    CHECK(values.max().item<double>() < 1.25);
  }
  CHECK(matrices == 2 * 6);
}
