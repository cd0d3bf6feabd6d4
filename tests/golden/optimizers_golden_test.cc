// Steps of Muon and SGD against PyTorch, on given gradients (scripts/make_optimizer_golden.py).
#include "arch/architectures.h"
#include "golden/golden_model.h"
#include "optim/optimizer.h"

namespace stagedtrain::test {
namespace {

using schedule::OptimizerName;
using schedule::UpdateScale;

struct Case {
  std::string name;
  schedule::OptimizerSpec spec;
  double tolerance = 1e-12;  // of the weights, relative to each tensor's largest
};

schedule::OptimizerSpec muon(double momentum, bool nesterov, UpdateScale scale) {
  schedule::OptimizerSpec spec{.name = OptimizerName::muon,
                               .momentum = momentum,
                               .nesterov = nesterov,
                               .update_scale = scale,
                               .adamw_lr = 3e-3};
  return spec;
}

schedule::OptimizerSpec sgd(double momentum, bool nesterov) {
  return {.name = OptimizerName::sgd, .betas = {}, .momentum = momentum, .nesterov = nesterov};
}

// As CASES of the script. In bfloat16 torch's own update has two to three digits.
std::vector<Case> cases() {
  return {{"muon", muon(0.95, true, UpdateScale::spectral)},
          {"muon_plain", muon(0.9, false, UpdateScale::spectral)},
          {"muon_original", muon(0.95, true, UpdateScale::original)},
          {"muon_match_rms", muon(0.95, true, UpdateScale::match_rms_adamw)},
          {"muon_bf16", muon(0.95, true, UpdateScale::original), 2e-3},
          {"sgd", sgd(0.9, false)},
          {"sgd_nesterov", sgd(0.8, true)}};
}

void fill(model::ParamBuffer& params, const at::Tensor& flat, const GoldenFile& golden,
          const std::string& group) {
  for (std::size_t i = 0; i < params.table().size(); ++i)
    params.view(flat, i).copy_(to_tensor(golden[group + "/" + params.table()[i].name]));
}

void check_case(const GoldenFile& golden, const Case& one, at::ScalarType type, at::Device device,
                double tolerance) {
  constexpr std::int64_t kSteps = 5;
  CAPTURE(one.name);
  schedule::Schedule schedule;
  schedule.optimizer = one.spec;
  schedule.optimizer.weight_decay = golden.optimizer().decay;
  schedule.lr.peak = golden.optimizer().rate;
  train::Optimizer optimizer(schedule);
  model::ParamBuffer params(arch::param_table(golden.model()), type, device);
  fill(params, params.weights(), golden, "weights");
  for (std::int64_t step = 0; step < kSteps; ++step) {
    CAPTURE(step);
    fill(params, params.grads(), golden, fmt::format("gradients/{}", step));
    const double lr = schedule.lr.peak * (1 - static_cast<double>(step) / 10);
    optimizer.step(params, lr, step + 1, golden.optimizer().clip);
    CHECK(params.grads().abs().max().item<double>() == 0);
    const std::string group = fmt::format("{}/{}", one.name, step);
    if (golden.contains(group + "/" + params.table()[0].name))
      check_tensors(params, params.weights(), golden, group, tolerance);
  }
}

}  // namespace

TEST_CASE("five steps of Muon and SGD are those of PyTorch") {
  const GoldenFile golden = open_golden("optimizers.golden");
  for (const Case& one : cases()) {
    check_case(golden, one, at::kDouble, at::kCPU, one.tolerance);
    check_case(golden, one, at::kFloat, at::kCPU, std::max(one.tolerance, 2e-5));
  }
}

TEST_CASE("five steps of Muon and SGD on CUDA are those of PyTorch", "[gpu]") {
  if (!has_cuda()) return;
  const GoldenFile golden = open_golden("optimizers.golden");
  for (const Case& one : cases())
    check_case(golden, one, at::kFloat, at::kCUDA, std::max(one.tolerance, 2e-5));
}

// Closed form: with the momentum at zero, the first update is the gradient's sign; a constant
// gradient makes the momentum g (1 - beta2^t).
TEST_CASE("Lion moves by signs, decays apart from them, and averages the gradient") {
  const GoldenFile golden = open_golden("optimizers.golden");
  schedule::Schedule schedule;
  schedule.optimizer = {.name = OptimizerName::lion, .betas = {0.9, 0.99}, .weight_decay = 0.2};
  train::Optimizer optimizer(schedule);
  model::ParamBuffer params(arch::param_table(golden.model()), at::kDouble, at::kCPU);
  fill(params, params.weights(), golden, "weights");
  constexpr double kRate = 0.03, kFactor = 0.5;
  for (std::int64_t step = 1; step <= 3; ++step) {
    fill(params, params.grads(), golden, "gradients/0");
    const at::Tensor gradient = kFactor * params.grads(), before = params.weights().clone();
    optimizer.step(params, kRate, step, kFactor);
    for (const model::Segment& s : params.segments()) {
      const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, s.offset, s.count); };
      const at::Tensor expected =
          part(before) * (1 - kRate * (s.decays ? 0.2 : 0)) - kRate * part(gradient).sign();
      CHECK((part(params.weights()) - expected).abs().max().item<double>() <= 1e-15);
    }
    const at::Tensor momentum = gradient * (1 - std::pow(0.99, static_cast<double>(step)));
    CHECK((params.exp_avg() - momentum).abs().max().item<double>() <= 1e-15);
  }
  // beta1 decides: against the momentum, a gradient of 9 times its size turns the sign, and a
  // smaller one does not.
  for (const auto& [times, sign] : {std::pair{8.9, 1.0}, {9.1, -1.0}}) {
    params.exp_avg().fill_(1);
    params.grads().fill_(-times);
    params.weights().zero_();
    optimizer.step(params, kRate, 4, 1);
    CHECK((params.weights() + sign * kRate).abs().max().item<double>() <= 1e-15);
    CHECK((params.exp_avg() - (0.99 - 0.01 * times)).abs().max().item<double>() <= 1e-15);
  }
}

}  // namespace stagedtrain::test
