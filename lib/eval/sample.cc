// Temperature, top-k and the choice.
#include "eval/sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "base/signals.h"

namespace stagedtrain::eval {

std::int64_t choose_token(const std::vector<double>& logits, const SampleOptions& options,
                          double uniform) {
  std::vector<std::int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto logit = [&](std::int64_t id) { return logits[static_cast<std::size_t>(id)]; };
  const auto likelier = [&](std::int64_t a, std::int64_t b) {
    return logit(a) > logit(b) || (logit(a) == logit(b) && a < b);
  };
  if (options.temperature == 0) return *std::min_element(order.begin(), order.end(), likelier);
  std::size_t kept = order.size();
  if (options.top_k > 0) kept = std::min(kept, static_cast<std::size_t>(options.top_k));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    likelier);
  std::vector<double> weights(kept);
  for (std::size_t i = 0; i < kept; ++i)
    weights[i] = std::exp((logit(order[i]) - logit(order[0])) / options.temperature);
  double left = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::size_t i = 0; i < kept; ++i)
    if ((left -= weights[i]) < 0) return order[i];
  return order[kept - 1];
}

void sample(model::Model& model, std::vector<std::int64_t> prompt, const SampleOptions& options,
            const std::function<void(std::int64_t)>& emit) {
  ST_CHECK(!prompt.empty(), "sampling needs a first token");
  const CounterRng rng(options.seed, hash_name("sample"));
  const auto context = static_cast<std::size_t>(model.config().context);
  for (std::int64_t i = 0; i < options.tokens; ++i) {
    stop_point("sampling");
    const std::size_t length = std::min(prompt.size(), context);
    const at::Tensor ids = at::empty({1, static_cast<std::int64_t>(length)}, at::kLong);
    std::copy(prompt.end() - static_cast<std::ptrdiff_t>(length), prompt.end(),
              ids.data_ptr<std::int64_t>());
    const at::Tensor last = model.logits(ids.to(model.options().device))
                                .select(1, static_cast<std::int64_t>(length) - 1)
                                .flatten()
                                .to(at::kCPU, at::kDouble);
    const std::vector<double> logits(last.data_ptr<double>(),
                                     last.data_ptr<double>() + last.numel());
    if (!std::all_of(logits.begin(), logits.end(), [](double l) { return std::isfinite(l); }))
      throw Error(ErrorKind::diverged,
                  "the model's logits are not finite: weights of the checkpoint are not finite, or "
                  "too large",
                  "'stagedtrain show CHECKPOINT --tensors' lists the weights that are not finite; "
                  "choose an earlier checkpoint of the run");
    prompt.push_back(choose_token(logits, options, rng.uniform(static_cast<std::uint64_t>(i))));
    emit(prompt.back());
  }
}

}  // namespace stagedtrain::eval
