// The policy adapters: matrices keep their values, and low-rank adapters of them are trained (LoRA,
// arXiv 2106.09685). With train_only: new, the adapted matrices are those of old layers, and the
// new layers are trained whole (STEP, arXiv 2504.04151).
//
// The model runs with W = W_0 + scale B A, and its backward pass gives G = dL/dW as always. The
// chain rule makes the adapters' gradients of it once in a step, after all micro-batches and ranks
// are added up:
//   dL/dB = scale G A^T      dL/dA = scale B^T G
// So model, kernels and ranks know nothing of adapters, and W is the merged matrix at any time.
// With n weights in the adapted matrices, gradients and W take 6 rank n FLOPs in a step.
//
// Rejected: y = W_0 x + scale B (A x), as in the paper. It needs no product for G, which is a third
// of a matrix's FLOPs, but a second path through every product of every implementation, forward and
// backward. Here a step costs what training the matrices costs. What adapters save is moments: 8
// bytes for each adapted weight in fp32 on a CPU, of which 4 are spent on W_0.
#include "policies/adapters.h"

#include <algorithm>

#include "arch/architectures.h"
#include "policies/transplant.h"
#include "text/counted.h"

namespace stagedtrain::plan {
namespace {

// Whether the stage trains a tensor whole.
bool is_new(const PolicyStage& stage, std::size_t index) {
  return !stage.old.empty() && !stage.old[index];
}

// Returns the last word but one of a matrix's name: query for attention.query.weight.
std::string kind_of(const arch::ParamSpec& spec) {
  const std::size_t end = spec.key.rfind('.');
  const std::size_t begin = end == std::string::npos ? end : spec.key.rfind('.', end - 1);
  return begin == std::string::npos ? "" : spec.key.substr(begin + 1, end - begin - 1);
}

bool is_asked(const PolicyStage& stage, const arch::ParamSpec& spec) {
  const bool is_matrix = spec.layer >= 0 && spec.axes.size() == 2;
  if (!is_matrix || spec.axes[0].axis == arch::Axis::experts) return false;  // routers are not
  const std::vector<std::string>& kinds = stage.keys.adapters->matrices;
  return kinds.empty() || std::ranges::find(kinds, kind_of(spec)) != kinds.end();
}

std::vector<std::size_t> adapted(const PolicyStage& stage, const arch::ParamTable& table) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (is_asked(stage, table[i]) && !is_new(stage, i)) found.push_back(i);
  return found;
}

double count_adapted(const PolicyStage& stage, const arch::ParamTable& table) {
  double count = 0;
  for (const std::size_t i : adapted(stage, table)) count += static_cast<double>(table[i].count());
  return count;
}

std::int64_t count_adapters(const PolicyStage& stage, const arch::ParamTable& table) {
  std::int64_t count = 0;
  for (const std::size_t i : adapted(stage, table))
    count += stage.keys.adapters->rank * (table[i].axes[0].size + table[i].axes[1].size);
  return count;
}

// The tensors whose gradients no pass computes.
std::vector<bool> frozen(const PolicyStage& stage, const arch::ParamTable& table, std::int64_t) {
  std::vector<bool> frozen = not_moved_with_adapters(stage, table);
  for (const std::size_t i : adapted(stage, table)) frozen[i] = false;
  return frozen;
}

arch::TokenFlops mean_flops(const PolicyStage& stage, std::int64_t length) {
  const arch::ParamTable table = arch::param_table(stage.model);
  return arch::step_flops_per_token(
      stage.model, {}, arch::trained_parts(stage.model, frozen(stage, table, 0)), length);
}

double step_flops(const PolicyStage& stage) {
  return 6 * static_cast<double>(stage.keys.adapters->rank) *
         count_adapted(stage, arch::param_table(stage.model));
}

// The bases, and values, gradients and moments of the adapters; not the moments of what is adapted.
double more_memory(const PolicyStage& stage, double number_bytes) {
  const arch::ParamTable table = arch::param_table(stage.model);
  return number_bytes *
         (4 * static_cast<double>(count_adapters(stage, table)) - count_adapted(stage, table));
}

std::string refusal(const PolicyStage& stage) {
  const schedule::AdaptersSpec& keys = *stage.keys.adapters;
  const arch::ParamTable table = arch::param_table(stage.model);
  const std::vector<std::size_t> found = adapted(stage, table);
  for (const std::string& kind : keys.matrices)
    if (std::ranges::none_of(found, [&](std::size_t i) { return kind_of(table[i]) == kind; }))
      return fmt::format("matrices: found {}, expected matrices that old layers of {} have", kind,
                         stage.model.architecture);
  if (found.empty()) return "found no matrix to adapt, expected a model with layers";
  for (const std::size_t i : found) {
    const auto [shorter, longer] = std::minmax(table[i].axes[0].size, table[i].axes[1].size);
    if (keys.rank > shorter)
      return fmt::format("rank: found {}, expected at most {}, the shorter side of {} ({} x {})",
                         keys.rank, shorter, table[i].name, table[i].axes[0].size,
                         table[i].axes[1].size);
  }
  return stage.larger ? transplant_refusal(stage, table, found) : "";
}

arch::TokenFlops start_flops(const PolicyStage& stage) {
  if (!stage.larger) return {};
  return sensitivity_flops(*stage.keys.adapters, *stage.larger, stage.model);
}

// Describes what the adapters begin from, unless they are drawn.
std::string start(const PolicyStage& stage) {
  if (!transplants(stage.keys)) return "";
  const schedule::AdaptersSpec& keys = *stage.keys.adapters;
  const std::string text =
      fmt::format("; they begin from the weights of {} to which {} of text are most sensitive",
                  keys.from, counted(keys.samples, "sequence"));
  if (!stage.larger) return text + "; without that file its cost is not known, nor counted";
  return fmt::format("{}, which takes {} FLOPs of {}", text, short_count(start_flops(stage).total),
                     describe(*stage.larger));
}

std::string description(const PolicyStage& stage) {
  const arch::ParamTable table = arch::param_table(stage.model);
  const auto matrices = static_cast<std::int64_t>(adapted(stage, table).size());
  return fmt::format(
      "adapters of rank {} train {} matrices by {} numbers{}; they save memory of moments, but no "
      "FLOPs of these matrices{}",
      stage.keys.adapters->rank, grouped(matrices), grouped(count_adapters(stage, table)),
      stage.old.empty() ? ", and nothing else is trained" : ", and new layers are trained whole",
      start(stage));
}

}  // namespace

arch::AdapterSet adapters_of(const PolicyStage& stage, const arch::ParamTable& table) {
  const schedule::AdaptersSpec& keys = *stage.keys.adapters;
  arch::AdapterSet set{.rank = keys.rank, .alpha = keys.alpha, .lr = keys.lr};
  for (const std::size_t i : adapted(stage, table)) set.matrices.push_back(table[i].name);
  return set;
}

std::vector<bool> not_moved_with_adapters(const PolicyStage& stage, const arch::ParamTable& table) {
  std::vector<bool> still;
  for (std::size_t i = 0; i < table.size(); ++i) still.push_back(!is_new(stage, i));
  return still;
}

const Policy& adapters() {
  static const Policy policy = {
      .key = "adapters",
      .is_on = [](const schedule::Policies& keys) { return keys.adapters.has_value(); },
      .mean_flops = mean_flops,
      .chance = [](const PolicyStage&, std::int64_t, std::int64_t) { return 1.0; },
      .refusal = refusal,
      .description = description,
      .frozen = frozen,
      .step_flops = step_flops,
      .start_flops = start_flops,
      .more_memory = more_memory,
      .with_only_new = true};
  return policy;
}

}  // namespace stagedtrain::plan
