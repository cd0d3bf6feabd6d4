// Computes the features of one partition after the other, so that memory does not grow with the
// text.
#include "eval/window_gains.h"

#include <algorithm>

#include "base/signals.h"
#include "data/facility_location.h"

namespace stagedtrain::eval {
namespace {

std::vector<float> features_of(model::Model& model, const GainsRequest& request,
                               const std::vector<std::int64_t>& windows) {
  std::vector<float> features;
  for (std::size_t first = 0; first < windows.size();
       first += static_cast<std::size_t>(request.rows)) {
    const std::size_t count =
        std::min(static_cast<std::size_t>(request.rows), windows.size() - first);
    const data::Batch batch = request.windows.batch(std::span(windows).subspan(first, count));
    const at::Tensor tokens_BS = model::to_device(batch, model.options().device);
    const at::Tensor means_BC =
        model.mean_features(tokens_BS.narrow(1, 0, batch.length), request.layers).contiguous();
    if (!at::isfinite(means_BC).all().item<bool>())
      throw make_error(ErrorKind::diverged,
                       "data.select: a feature of the model is not a finite number")
          .with_hint("try a lower lr.peak or a longer lr.warmup");
    const auto* values = means_BC.const_data_ptr<float>();
    features.insert(features.end(), values, values + means_BC.numel());
  }
  return features;
}

}  // namespace

std::vector<float> window_gains(model::Model& model, const GainsRequest& request,
                                const EvalShare& share) {
  std::vector<double> gains(static_cast<std::size_t>(request.windows.count()));
  for (std::int64_t p = share.rank; p < request.partitions.count(); p += share.ranks) {
    stop_point("choosing data");
    const std::vector<std::int64_t> windows = request.partitions.windows_of(p);
    const data::Ranking ranking = data::rank_by_facility_location(
        features_of(model, request, windows), std::ssize(windows), model.config().width);
    for (std::size_t i = 0; i < windows.size(); ++i)
      gains[static_cast<std::size_t>(windows[static_cast<std::size_t>(ranking.order[i])])] =
          ranking.gains[i];
  }
  if (share.sum) share.sum(gains);
  return {gains.begin(), gains.end()};
}

}  // namespace stagedtrain::eval
