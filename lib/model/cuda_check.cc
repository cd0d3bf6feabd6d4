// Runs every CUDA kernel and its ATen counterpart on the same small batch and compares the results.
#include "model/cuda_check.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>

#include "cuda_kernels/launch.h"
#include "io/terminal.h"
#include "model/cuda_arrays.h"

namespace stagedtrain::model {
namespace {

// Odd sizes, so that the last thread block is never full.
constexpr std::int64_t kRows = 77, kWidth = 261, kHidden = 323, kVocab = 517;

// A computation on leaf tensors that returns a scalar. Its gradients with respect to the leaves are
// compared as well.
struct Case {
  const char* name;
  std::vector<std::vector<std::int64_t>> leaves;
  std::function<at::Tensor(const BlockOps&, const std::vector<at::Tensor>&)> result;
};

at::Tensor weighted_sum(const at::Tensor& x) {
  const at::Tensor weights =
      at::arange(x.numel(), x.options().dtype(at::kFloat)).view(x.sizes()).sin();
  return (x.to(at::kFloat) * weights).sum();
}

std::vector<Case> cases(const at::Tensor& targets) {
  const std::vector<std::int64_t> rows{kRows, kWidth}, width{kWidth};
  const auto norm = [](const Summed& s) { return weighted_sum(s.sum) + weighted_sum(s.normed); };
  return {{"LayerNorm",
           {rows, rows, width, width},
           [=](const BlockOps& ops, const std::vector<at::Tensor>& x) {
             return norm(ops.add_norm(x[0], x[1], x[2], x[3], 1e-5));
           }},
          {"RMSNorm",
           {rows, rows, width},
           [=](const BlockOps& ops, const std::vector<at::Tensor>& x) {
             return norm(ops.add_norm(x[0], x[1], x[2], {}, 1e-5));
           }},
          {"first norm",
           {rows, width},
           [=](const BlockOps& ops, const std::vector<at::Tensor>& x) {
             return norm(ops.add_norm(x[0], {}, x[1], {}, 1e-5));
           }},
          {"bias and GELU",
           {rows, {kHidden, kWidth}, {kHidden}},
           [](const BlockOps& ops, const std::vector<at::Tensor>& x) {
             return weighted_sum(ops.linear_gelu(x[0], x[1] / 16, x[2]));
           }},
          {"SwiGLU",
           {{kRows, 2 * kHidden}},
           [](const BlockOps& ops, const std::vector<at::Tensor>& x) {
             return weighted_sum(ops.swiglu(x[0]));
           }},
          {"classifier and loss",
           {rows, {kVocab, kWidth}},
           [=](const BlockOps& ops, const std::vector<at::Tensor>& x) {
             const LossTerms terms{0.7, 1e-3, 0.5, /*rows_at_once=*/kRows / 2};
             return ops.classifier_loss(x[0], x[1] / 8, targets, terms).objective;
           }}};
}

std::vector<at::Tensor> leaves_of(const Case& c, at::TensorOptions options) {
  at::Generator generator = at::detail::createCPUGenerator(7);
  std::vector<at::Tensor> leaves;
  for (const auto& shape : c.leaves)
    leaves.push_back(at::randn(shape, generator).to(options).requires_grad_(true));
  return leaves;
}

double difference_of(const at::Tensor& found, const at::Tensor& expected) {
  if (!found.defined() || !expected.defined()) return NAN;
  const at::Tensor wide = expected.to(at::kDouble);
  const double scale = std::max(wide.abs().max().item<double>(), 1e-30);
  return (found.to(at::kDouble) - wide).abs().max().item<double>() / scale;
}

// Returns the larger number, or NaN if either is NaN.
double worse(double a, double b) { return std::isnan(a) || a >= b ? a : b; }

OpCheck check_case(const Case& c, const BlockOps& own, at::TensorOptions options, double allowed) {
  OpCheck check{c.name, 0, allowed};
  std::vector<at::Tensor> mine = leaves_of(c, options), theirs = leaves_of(c, options);
  const at::Tensor found = c.result(own, mine), expected = c.result(aten_ops(), theirs);
  found.backward();
  expected.backward();
  check.difference = difference_of(found, expected);
  for (std::size_t i = 0; i < mine.size(); ++i)
    check.difference = worse(check.difference, difference_of(mine[i].grad(), theirs[i].grad()));
  return check;
}

// Compares the kernel with the formula of kernels/adamw.h, computed by ATen in float64.
OpCheck check_adamw(at::Device device) {
  const at::NoGradGuard no_grad;
  const kernels::AdamWStep step{1e-2, 0.9, 0.95, 1e-8, 0.1, 0.19, 0.0975, 0.5};
  at::Generator generator = at::detail::createCPUGenerator(8);
  std::vector<at::Tensor> x, y;
  for (int i = 0; i < 4; ++i) x.push_back(at::randn({kRows, kWidth}, generator).to(device));
  x[3].abs_();
  for (const at::Tensor& tensor : x) y.push_back(tensor.to(at::kDouble));
  const at::Tensor g = y[1] * step.gradient_factor;
  const at::Tensor norm = y[1].square().sum().sqrt();
  y[2].lerp_(g, 1 - step.beta1);
  y[3].mul_(step.beta2).addcmul_(g, g, 1 - step.beta2);
  const at::Tensor root = (y[3] / step.bias_correction2).sqrt() + step.eps;
  y[0].mul_(1 - step.lr * step.weight_decay);
  y[0].addcdiv_(y[2], root, -step.lr / step.bias_correction1);
  y[1].zero_();
  OpCheck check{"AdamW", difference_of(cuda_norm(x[1]), norm), 1e-5};
  const at::Tensor copy = at::empty_like(x[0], x[0].options().dtype(at::kBFloat16));
  cuda_adamw(step, x[0], x[1], x[2], x[3], copy, {0, x[0].numel()});
  if (!at::equal(copy, x[0].to(at::kBFloat16))) check.difference = NAN;
  for (std::size_t i = 0; i < 4; ++i)
    check.difference = worse(check.difference, difference_of(x[i], y[i]));
  return check;
}

std::string describe(const std::vector<OpCheck>& checks, at::Device device, at::ScalarType dtype) {
  const std::string where = fmt::format("{} in {}", device.str(), at::toString(dtype));
  double share = 0;
  for (const OpCheck& check : checks) {
    if (!check.passed())
      return fmt::format(
          "warning: the fused CUDA kernels do not agree with LibTorch's on {} ({}: {:.2g} apart, "
          "{:.2g} allowed); LibTorch's are used",
          where, check.name, check.difference, check.allowed);
    share = std::max(share, check.difference / check.allowed);
  }
  return fmt::format(
      "the fused CUDA kernels agree with LibTorch's on {}: {:.0f}% of the tolerance used", where,
      100 * share);
}

}  // namespace

double allowed_difference(at::ScalarType products) {
  return products == at::kBFloat16 ? 3e-2 : 2e-5;
}

std::vector<OpCheck> check_cuda_kernels(const BlockOps& own, at::Device device,
                                        at::ScalarType dtype) {
  const at::AutoGradMode grad_on(true);
  const double allowed = allowed_difference(dtype);
  at::Generator generator = at::detail::createCPUGenerator(9);
  const at::Tensor targets = at::randint(kVocab, {kRows}, generator, at::kLong).to(device);
  const at::TensorOptions options = at::TensorOptions(dtype).device(device);
  std::vector<OpCheck> checks;
  for (const Case& c : cases(targets)) checks.push_back(check_case(c, own, options, allowed));
  checks.push_back(check_adamw(device));
  return checks;
}

bool has_gpu_kernels() { return kernels::cuda::built() == kernels::cuda::Built::for_gpu; }

const BlockOps* checked_cuda_ops(at::Device device, at::ScalarType dtype) {
  if (!has_gpu_kernels() || dtype == at::kDouble) return nullptr;
  static std::map<std::pair<at::DeviceIndex, at::ScalarType>, bool> verdicts;
  const auto [verdict, is_new] = verdicts.emplace(std::pair(device.index(), dtype), true);
  if (is_new) {
    const std::vector<OpCheck> checks = check_cuda_kernels(cuda_ops(), device, dtype);
    for (const OpCheck& check : checks) verdict->second &= check.passed();
    print_to_stderr(describe(checks, device, dtype) + "\n");
  }
  return verdict->second ? &cuda_ops() : nullptr;
}

}  // namespace stagedtrain::model
