// Chooses tokens by temperature and top-k, and generates text with them.
#include "eval/sample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "base/signals.h"
#include "reference/decoder.h"

namespace stagedtrain::eval {

namespace {

// The number of ids that are sorted first. More are sorted only if these hold too little of the
// probability.
constexpr std::size_t kFirstOrdered = 64;

}  // namespace

std::int64_t choose_token(const std::vector<double>& logits, const SampleOptions& options,
                          double uniform) {
  const std::int64_t best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  if (options.temperature == 0) return best;
  std::vector<std::int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto logit = [&](std::int64_t id) { return logits[static_cast<std::size_t>(id)]; };
  const auto likelier = [&](std::int64_t a, std::int64_t b) {
    return logit(a) > logit(b) || (logit(a) == logit(b) && a < b);
  };
  std::size_t kept = order.size(), ordered = 0;
  if (options.top_k > 0) kept = std::min(kept, static_cast<std::size_t>(options.top_k));
  const auto weight = [&](std::int64_t id) {
    return std::exp((logit(id) - logit(best)) / options.temperature);
  };
  const auto place = [&](std::size_t i) { return order.begin() + static_cast<std::ptrdiff_t>(i); };
  if (kept < order.size()) std::nth_element(order.begin(), place(kept), order.end(), likelier);
  double left = 0;
  for (std::size_t i = 0; i < kept; ++i) left += weight(order[i]);
  left *= uniform;
  for (std::size_t i = 0; i < kept; ++i) {
    if (i == ordered) {
      ordered = std::min(kept, std::max(kFirstOrdered, 16 * ordered));
      std::partial_sort(place(i), place(ordered), place(kept), likelier);
    }
    if ((left -= weight(order[i])) < 0) return order[i];
  }
  return order[kept - 1];
}

namespace {

// Computes the logits after a text that grows by one token at a time.
class NextLogits {
 public:
  explicit NextLogits(model::Model& model) : model_(model), decoder_(model::make_decoder(model)) {}
  // ids: those of the previous call and one more.
  std::vector<double> behind(const std::vector<std::int64_t>& ids) {
    const std::int64_t context = model_.config().context;
    const auto size = static_cast<std::int64_t>(ids.size());
    const bool fits = decoder_ && size <= context;
    const std::int64_t known = fits ? decoder_->length() : std::max<std::int64_t>(0, size - context);
    const at::Tensor tokens = at::empty({size - known}, at::kLong);
    std::copy(ids.begin() + known, ids.end(), tokens.data_ptr<std::int64_t>());
    const at::Tensor on_device = tokens.to(model_.options().device);
    const at::Tensor logits = fits ? decoder_->read(on_device)
                                   : model_.logits(on_device.unsqueeze(0)).select(1, size - known - 1);
    const at::Tensor last = logits.flatten().to(at::kCPU, at::kDouble);
    return {last.data_ptr<double>(), last.data_ptr<double>() + last.numel()};
  }

 private:
  model::Model& model_;
  std::unique_ptr<model::Decoder> decoder_;
};

}  // namespace

void sample(model::Model& model, std::vector<std::int64_t> prompt, const SampleOptions& options,
            const std::function<void(std::int64_t)>& emit) {
  ST_CHECK(!prompt.empty(), "sampling needs a first token");
  const CounterRng rng(options.seed, hash_name("sample"));
  NextLogits next(model);
  for (std::int64_t i = 0; i < options.tokens; ++i) {
    stop_point("sampling");
    const std::vector<double> logits = next.behind(prompt);
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
