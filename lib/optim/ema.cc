// Updates the average of the weights, and exchanges it with the weights.
#include "optim/ema.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace stagedtrain::train {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // numbers for one thread
constexpr std::int64_t kPiece = 1 << 22;  // numbers that are exchanged at a time on a GPU

// ATen's lerp_ rounds differently in the vectorized part of a range and in its rest, and the ranges
// depend on the number of threads.
template <class T>
void step_on_cpu(T* average, const T* weights, std::int64_t count, T share) {
  at::parallel_for(0, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) average[i] += share * (weights[i] - average[i]);
  });
}

template <class T>
void exchange_on_cpu(T* a, T* b, std::int64_t count) {
  at::parallel_for(0, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::swap_ranges(a + begin, a + end, b + begin);
  });
}

// The parts of the average that this rank keeps: with shards, those that it owns.
std::vector<Range> kept_parts(const model::ParamBuffer& params, std::int64_t size) {
  return params.shards() ? params.shards()->own() : std::vector<Range>{{0, size}};
}

void step_on(const at::Tensor& average, const at::Tensor& weights, double decay) {
  if (!average.is_cpu()) {
    average.lerp_(weights, 1 - decay);
  } else if (average.scalar_type() == at::kFloat) {
    step_on_cpu(average.data_ptr<float>(), weights.data_ptr<float>(), average.numel(),
                static_cast<float>(1 - decay));
  } else {
    step_on_cpu(average.data_ptr<double>(), weights.data_ptr<double>(), average.numel(), 1 - decay);
  }
}

void exchange_on(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cpu() && a.scalar_type() == at::kFloat) {
    exchange_on_cpu(a.data_ptr<float>(), b.data_ptr<float>(), a.numel());
  } else if (a.is_cpu()) {
    exchange_on_cpu(a.data_ptr<double>(), b.data_ptr<double>(), a.numel());
  } else {
    for (std::int64_t begin = 0; begin < a.numel(); begin += kPiece) {
      const std::int64_t count = std::min(kPiece, a.numel() - begin);
      const at::Tensor part = a.narrow(0, begin, count).clone();
      a.narrow(0, begin, count).copy_(b.narrow(0, begin, count));
      b.narrow(0, begin, count).copy_(part);
    }
  }
}

}  // namespace

void ema_step(model::ParamBuffer& params, double decay) {
  const at::NoGradGuard no_grad;
  for (const Range& part : kept_parts(params, params.ema().numel()))
    step_on(params.ema().narrow(0, part.begin, part.size()),
            params.weights().narrow(0, part.begin, part.size()), decay);
}

void AveragedWeights::exchange() {
  const at::NoGradGuard no_grad;
  model::ParamBuffer& params = model_.params();
  for (const Range& part : kept_parts(params, params.ema().numel()))
    exchange_on(params.weights().narrow(0, part.begin, part.size()),
                params.ema().narrow(0, part.begin, part.size()));
  if (model_.shards()) {
    model_.shards()->own_weights_changed();
  } else {
    model_.weights_changed();
  }
}

}  // namespace stagedtrain::train
