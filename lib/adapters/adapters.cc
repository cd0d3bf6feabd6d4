// Applies the products of low-rank adapters to the tensors of a flat buffer.
#include "adapters/adapters.h"

#include <ATen/core/grad_mode.h>

#include "adapters/low_rank.h"
#include "base/error.h"

namespace stagedtrain::train {
namespace {

state::DType dtype_of(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? state::DType::f64 : state::DType::f32;
}

template <class T>
LowRank<T> low_rank(const at::Tensor& a, const at::Tensor& b, double scale) {
  return {a.const_data_ptr<T>(), b.const_data_ptr<T>(), b.size(0), a.size(1), a.size(0),
          static_cast<T>(scale)};
}

// Calls use with the adapter in the type of its numbers, and that type's zero.
template <class Use>
void typed(const at::Tensor& a, const at::Tensor& b, double scale, const Use& use) {
  if (a.scalar_type() == at::kDouble) {
    use(low_rank<double>(a, b, scale), double{});
  } else {
    use(low_rank<float>(a, b, scale), float{});
  }
}

}  // namespace

Adapters::Adapters(const arch::AdapterSet& set, model::ParamBuffer& params, std::uint64_t seed)
    : set_(set),
      values_(arch::adapter_table(set, params.table()), params.weights().scalar_type(),
              params.weights().device()) {
  const at::NoGradGuard no_grad;
  for (const std::string& name : set.matrices) {
    matrices_.push_back(static_cast<std::size_t>(params.table().index(name)));
    bases_.push_back(params.view(params.weights(), matrices_.back()).clone());
  }
  values_.set_own_cuda(params.own_cuda());
  values_.set_histories(
      std::vector<state::TensorHistory>(values_.table().size(), {.age = {.start = set.start}}));
  for (std::size_t i = 0; i < values_.table().size(); ++i)
    values_.set(
        state::TensorKind::weights, i,
        state::fresh_weight(values_.table()[i], seed + static_cast<std::uint64_t>(set.start),
                            dtype_of(values_.weights()))
            .bytes());
}

void Adapters::pull_back(model::ParamBuffer& params) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const at::Tensor a = values_.view(values_.weights(), 2 * i),
                     b = values_.view(values_.weights(), 2 * i + 1),
                     of_a = values_.view(values_.grads(), 2 * i),
                     of_b = values_.view(values_.grads(), 2 * i + 1),
                     g = params.view(params.grads(), matrices_[i]);
    if (!g.is_cpu()) {
      at::mm_out(const_cast<at::Tensor&>(of_a), b.t(), g).mul_(set_.scale());
      at::mm_out(const_cast<at::Tensor&>(of_b), g, a.t()).mul_(set_.scale());
      continue;
    }
    typed(a, b, set_.scale(), [&](const auto& adapter, auto zero) {
      using T = decltype(zero);
      gradient_of_a<T>(adapter, g.const_data_ptr<T>(), of_a.data_ptr<T>());
      gradient_of_b<T>(adapter, g.const_data_ptr<T>(), of_b.data_ptr<T>());
    });
  }
}

void Adapters::add_product(std::size_t i, double factor, const at::Tensor& from,
                           const at::Tensor& to) {
  const at::Tensor a = values_.view(values_.weights(), 2 * i),
                   b = values_.view(values_.weights(), 2 * i + 1);
  if (!to.is_cpu()) {
    at::addmm_out(const_cast<at::Tensor&>(to), from, b, a, 1, factor);
    return;
  }
  typed(a, b, factor, [&](const auto& adapter, auto zero) {
    using T = decltype(zero);
    train::merge<T>(adapter, from.const_data_ptr<T>(), to.data_ptr<T>());
  });
}

void Adapters::merge(model::ParamBuffer& params) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < matrices_.size(); ++i)
    add_product(i, set_.scale(), bases_[i], params.view(params.weights(), matrices_[i]));
  params.update_copy();
}

void Adapters::begin_with(const grow::LowRankFactors& factors, std::size_t matrix,
                          model::ParamBuffer& params) {
  const at::NoGradGuard no_grad;
  const auto set = [&](std::size_t index, const std::vector<double>& numbers) {
    const at::Tensor to = values_.view(values_.weights(), index);
    ST_CHECK(std::ssize(numbers) == to.numel(), "{} numbers for {}", numbers.size(), to.numel());
    to.copy_(at::from_blob(const_cast<double*>(numbers.data()), to.sizes(), at::kDouble));
  };
  set(2 * matrix, factors.a);
  set(2 * matrix + 1, factors.b);
  add_product(matrix, -set_.scale(), params.view(params.weights(), matrices_[matrix]),
              bases_[matrix]);
}

// A part of arch::kAdapterParts: the base, or a factor or one of its moments.
at::Tensor Adapters::part(std::size_t index) {
  const std::size_t matrix = index / arch::kNumAdapterParts, part = index % arch::kNumAdapterParts;
  if (part == 0) return bases_[matrix];
  const auto kind = static_cast<state::TensorKind>((part - 1) / 2);
  return values_.view(values_.of(kind), 2 * matrix + (part - 1) % 2);
}

std::span<const std::byte> Adapters::get(std::size_t index, at::Tensor& copy) {
  copy = part(index).to(at::kCPU);
  return {static_cast<const std::byte*>(copy.const_data_ptr()), copy.nbytes()};
}

void Adapters::set_stored(std::size_t index, std::span<const std::byte> bytes) {
  const at::NoGradGuard no_grad;
  const at::Tensor to = part(index);
  ST_CHECK(bytes.size() == to.nbytes(), "{} bytes for {}", bytes.size(), to.nbytes());
  void* data = const_cast<std::byte*>(bytes.data());
  to.copy_(at::from_blob(data, to.sizes(), at::TensorOptions(to.scalar_type())));
}

}  // namespace stagedtrain::train
