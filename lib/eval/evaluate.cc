// Computes a model's mean loss over windows, and its standard error.
#include "eval/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "base/signals.h"

namespace stagedtrain::eval {
namespace {

void summarise(const std::vector<double>& losses, EvalReport& report) {
  const double count = static_cast<double>(losses.size());
  double sum = 0, squares = 0;
  for (double loss : losses) sum += loss;
  report.loss = sum / count;
  for (double loss : losses) squares += (loss - report.loss) * (loss - report.loss);
  report.standard_error = losses.size() > 1 ? std::sqrt(squares / (count - 1) / count)
                                            : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

double EvalReport::perplexity() const { return std::exp(loss); }
double EvalReport::bits_per_byte(double text_bytes_per_token) const {
  return text_bytes_per_token > 0 ? loss / std::numbers::ln2 / text_bytes_per_token : 0;
}

EvalReport evaluate(model::Model& model, const data::EvaluationSet& set, std::int64_t rows,
                    const EvalShare& share) {
  const auto start = std::chrono::steady_clock::now();
  EvalReport report;
  report.windows = set.windows();
  report.tokens = set.windows() * model.config().context;
  std::vector<double> losses(static_cast<std::size_t>(set.windows()));
  const std::int64_t passes = (set.windows() + rows - 1) / rows;
  for (std::int64_t pass = share.rank; pass < passes; pass += share.ranks) {
    stop_point("evaluating");
    const std::int64_t first = pass * rows;
    const data::Batch batch = set.batch(first, std::min(rows, set.windows() - first));
    const at::Tensor each =
        model.row_losses(model::to_device(batch, model.options().device)).to(at::kCPU);
    std::copy_n(each.data_ptr<double>(), each.numel(), losses.begin() + first);
  }
  // With shards all processes make the same number of passes, so some repeat one.
  const bool short_of_one = passes % share.ranks != 0 && share.rank >= passes % share.ranks;
  if (model.shards() && short_of_one)
    model.row_losses(model::to_device(set.batch(0, std::min(rows, set.windows())), at::kCPU));
  if (share.sum) share.sum(losses);
  summarise(losses, report);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace stagedtrain::eval
