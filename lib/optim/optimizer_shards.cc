// Steps on the parts of the moments that this rank owns, and gathers them where all are needed.
#include "optim/optimizer_shards.h"

#include "io/given_back.h"

namespace stagedtrain::train {
namespace {

void give_back_part(const at::Tensor& flat, std::int64_t begin, std::int64_t end) {
  if (begin >= end) return;
  const at::Tensor part = flat.narrow(0, begin, end - begin);
  if (part.is_cpu()) give_back(part.data_ptr(), part.nbytes());
}

}  // namespace

void OptimizerShards::begin(model::Model& model) {
  if (!shared_) return;
  for (const at::Tensor& flat : {model.params().exp_avg(), model.params().exp_avg_sq()}) {
    std::int64_t done = 0;
    for (const Range& own : gradient_.exchange_of(model).own()) {
      give_back_part(flat, done, own.begin);
      done = own.end;
    }
    give_back_part(flat, done, flat.numel());
  }
}

void OptimizerShards::gather_at_first(model::Model& model) {
  if (!shared_) return;
  for (const at::Tensor& flat : {model.params().exp_avg(), model.params().exp_avg_sq()})
    gradient_.exchange_of(model).gather_at_first(flat);
}

void OptimizerShards::gather(model::Model& model) {
  if (!shared_) return;
  for (const at::Tensor& flat : {model.params().exp_avg(), model.params().exp_avg_sq()})
    gradient_.exchange_of(model).gather(flat);
}

const std::vector<Range>& OptimizerShards::own(model::Model& model) {
  return model.shards() ? model.shards()->own() : gradient_.exchange_of(model).own();
}

at::Tensor OptimizerShards::norm(model::Model& model) {
  if (!shared_ && !model.shards()) return gradient_norm(model.params());
  const auto sum = [&](std::vector<double>& values) { ranks_.sum(values); };
  if (const auto norm = gradient_norm_of(own(model), model.params(), sum))
    return at::scalar_tensor(*norm, at::kDouble);
  dist::FlatExchange& exchange = gradient_.exchange_of(model);
  exchange.gather(model.params().grads());
  return gradient_norm(model.params());
}

void OptimizerShards::step(model::Model& model, Optimizer& optimizer, double lr, std::int64_t step,
                           double gradient_factor) {
  if (!shared_ && !model.shards()) return optimizer.step(model.params(), lr, step, gradient_factor);
  adamw_step_of(own(model), model.params(), optimizer.adamw(), lr, step, gradient_factor);
  if (model.shards()) return model.shards()->own_weights_changed();
  model.params().grads().zero_();
  gradient_.exchange_of(model).gather(model.params().weights());
  model.weights_changed();
}

}  // namespace stagedtrain::train
