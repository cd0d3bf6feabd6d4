// Creates freshly initialised training states.
#include "state/training_state.h"

#include <algorithm>

#include "arch/architectures.h"
#include "base/rng.h"

namespace stagedtrain::state {
namespace {

template <class T>
void fill(std::span<T> values, const arch::Init& init, const CounterRng& rng) {
  if (init.kind == arch::Init::Kind::constant) {
    std::fill(values.begin(), values.end(), static_cast<T>(init.value));
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<T>(init.value * rng.normal(i));
}

}  // namespace

const char* kind_name(TensorKind kind) {
  constexpr const char* kNames[] = {"weights", "exp_avg", "exp_avg_sq", "ema"};
  return kNames[static_cast<int>(kind)];
}

std::span<const TensorKind> tensor_kinds(bool ema) {
  static constexpr TensorKind kAll[] = {TensorKind::weights, TensorKind::exp_avg,
                                        TensorKind::exp_avg_sq, TensorKind::ema};
  return std::span(kAll).first(ema ? 4 : 3);
}

HostTensor fresh_weight(const arch::ParamSpec& spec, std::uint64_t seed, DType dtype) {
  const CounterRng rng(seed, hash_name(spec.name));
  HostTensor weight(dtype, spec.shape());
  if (dtype == DType::f32) {
    fill(weight.as<float>(), spec.init, rng);
  } else {
    fill(weight.as<double>(), spec.init, rng);
  }
  return weight;
}

TrainingState fresh(const arch::ModelConfig& model, std::uint64_t seed, DType dtype) {
  TrainingState state;
  state.model = model;
  state.seed = state.data.seed = seed;
  for (const arch::ParamSpec& spec : arch::param_table(model)) {
    state.of(TensorKind::weights).push_back(fresh_weight(spec, seed, dtype));
    for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
      state.of(kind).emplace_back(dtype, spec.shape());
  }
  state.histories = fresh_histories(model);
  return state;
}

std::vector<TensorHistory> fresh_histories(const arch::ModelConfig& model) {
  std::vector<TensorHistory> histories;
  for (const arch::ParamSpec& spec : arch::param_table(model))
    histories.push_back({.lr_scale = spec.scales.lr,
                         .decay_scale = spec.scales.decay,
                         .eps_scale = spec.scales.eps});
  return histories;
}

}  // namespace stagedtrain::state
