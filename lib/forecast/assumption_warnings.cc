// Writes the assumption warnings, and defines the thresholds beyond which they are given.
#include "forecast/assumption_warnings.h"

#include <algorithm>

#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr double kTokensPerParameter = 20, kMostGrowth = 4, kMostEmbeddings = 2.0 / 3;

}  // namespace

std::optional<std::string> long_run_warning(double tokens, const arch::ParamCount& params,
                                           const std::string& most) {
  const double each = tokens / static_cast<double>(params.total);
  if (!(each > kTokensPerParameter)) return {};
  return fmt::format(
      "the run is long, {:.3g} tokens for each parameter: if a grown model only continues from the "
      "loss "
      "that it has (the floor), the tokens "
      "saved "
      "do not grow with the length of the run, so the percentage falls; {}",
      each, most);
}

std::vector<std::string> mixing_warnings(const schedule::Schedule& schedule,
                                         const Transfer& transfer) {
  std::vector<std::string> lines;
  if (transfer.mixing_tokens == 0)
    lines.push_back(
        "the mixing time is not known and was assumed to be 0: measure it in a pilot run, from the "
        "growth until the grown run has caught up with one from scratch");
  if (schedule.lr.curve != "wsd")
    lines.push_back(
        fmt::format("the learning rate ({}) falls from the start: mixing was observed at a rate "
                    "that stays constant until a late decay (wsd)",
                    schedule.lr.curve));
  return lines;
}

double growth_factor(const arch::ParamCount& from, const arch::ParamCount& to) {
  return static_cast<double>(to.non_embedding) /
         static_cast<double>(std::max<std::int64_t>(1, from.non_embedding));
}

std::optional<std::string> embedding_warning(const std::string& name,
                                             const arch::ParamCount& params) {
  const double share =
      1 - static_cast<double>(params.non_embedding) / static_cast<double>(params.total);
  if (!(share > kMostEmbeddings)) return {};
  return fmt::format(
      "{}: {:.0f}% of its parameters are embeddings, which the law counts like layers: so shallow "
      "a model may reach a higher loss than the law predicts",
      name, 100 * share);
}

std::optional<std::string> growth_warning(const std::string& from, const std::string& to,
                                          double factor) {
  if (factor <= kMostGrowth * (1 + 1e-9)) return {};
  return fmt::format(
      "{} to {}: {:.3g} times the parameters without embeddings; growths beyond 4 have done worse "
      "than planned",
      from, to, factor);
}

}  // namespace stagedtrain::plan
