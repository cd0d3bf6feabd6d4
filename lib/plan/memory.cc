// Counts the bytes that the engine keeps while it trains or grows a model.
#include "plan/memory.h"

#include <algorithm>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {
namespace {

using schedule::Precision;

double number_bytes(const schedule::Schedule& s) { return s.precision == Precision::fp64 ? 8 : 4; }

double compute_bytes(const schedule::Schedule& s) {
  return s.precision == Precision::bf16 ? 2 : number_bytes(s);
}

// Returns the tokens of one pass.
double pass_tokens(const schedule::Schedule& s, const arch::ModelConfig& m,
                   const Processes& processes) {
  return static_cast<double>(step_share(s, processes).rows * m.context);
}

// The parameters of units that are complete at a time with full sharding (model/shards.h): at most
// two in a forward pass, and those whose gradients a backward pass is adding up. The gradient of a
// tied head is complete only after that of the embeddings.
struct Units {
  double largest_two = 0, with_gradients = 0;
};
Units units_of(const arch::ModelConfig& model) {
  double embeddings = 0, block = 0, head = 0;
  for (const arch::ParamSpec& spec : arch::param_table(model)) {
    if (!spec.decays || spec.layer > 0) continue;
    double& unit = spec.layer == 0 ? block : spec.role == arch::Role::head ? head : embeddings;
    unit += static_cast<double>(spec.count());
  }
  if (model.tied) head = embeddings;
  return {block + std::max({block, embeddings, head}),
          model.tied ? embeddings + block : std::max({embeddings, block, head})};
}

}  // namespace

MemoryParts training_memory(const schedule::Schedule& s, const arch::ModelConfig& m,
                            std::int64_t parameters, const Processes& processes) {
  const double bytes = number_bytes(s);
  const bool half = s.precision == Precision::bf16;
  const auto params = static_cast<double>(parameters);
  MemoryParts parts;
  parts.weights = parts.gradients = (bytes + (half ? 2 : 0)) * params;
  if (s.ema) parts.weights += bytes * params;
  parts.moments = 2 * bytes * params;
  parts.sums = bytes * params * static_cast<double>(step_share(s, processes).partial_sums);
  const auto count = static_cast<double>(processes.count);
  if (processes.sharding != Sharding::none && s.precision != Precision::fp64)
    parts.moments /= count;
  if (processes.sharding == Sharding::full && processes.count > 1) {
    const Units units = units_of(m);
    const double others = (count - 1) / count;
    const double half_bytes = half ? 2 : 0;
    parts.weights = parts.weights / count + (half ? 2 : bytes) * others * units.largest_two;
    parts.gradients = bytes * params / count + (bytes * others + half_bytes) * units.with_gradients;
    parts.sums /= count;
  }
  parts.activations = activation_memory(s, m, s.batch.recompute, processes);
  parts.logits = 2 * pass_tokens(s, m, processes) * static_cast<double>(m.vocab) *
                 std::max(compute_bytes(s), 4.0);
  return parts;
}

double activation_memory(const schedule::Schedule& s, const arch::ModelConfig& m,
                         schedule::Recompute recompute, const Processes& processes) {
  const std::int64_t hidden = m.experts > 0 ? m.experts_per_token * m.ffn : m.ffn;
  const std::int64_t inside = 6 * m.width + m.heads * (m.head_dim + m.value_dim) +
                              m.kv_heads * (m.head_dim + m.value_dim) + 2 * hidden;
  const std::int64_t layers = arch::executed_layers(m);
  std::int64_t kept = layers * inside + 2 * m.width;
  if (recompute == schedule::Recompute::norms && layers > 0) kept -= (2 * layers - 1) * m.width;
  if (recompute == schedule::Recompute::blocks) kept = (layers + 2) * m.width + inside;
  // What routing adds, if all tokens of a row pass: inputs before and after they are gathered, the
  // layer's outputs, their differences, and what is put back. One layer at a time runs again.
  if (arch::has_routed_layers(m)) kept += arch::routed_layers(m) * 5 * m.width + inside;
  const std::int64_t boundaries = arch::boundaries_of(m).count;
  if (boundaries > 0) kept += (boundaries + 1) * m.width;  // and the gradient of the prelude
  return pass_tokens(s, m, processes) * static_cast<double>(kept) * compute_bytes(s);
}

double recomputed_flops_per_token(const arch::ModelConfig& m, schedule::Recompute recompute) {
  if (recompute != schedule::Recompute::blocks) return 0;
  arch::ModelConfig once = m;  // the second run of routed layers is not repeated
  if (arch::has_routed_layers(m)) once.routed_labels = "own";
  const double head = 6 * static_cast<double>(m.width * m.vocab);
  return (arch::flops_per_token(once) - head) / 3;  // a forward pass is a third of a step
}

double growth_memory(const schedule::Schedule& s, std::int64_t old_parameters,
                     std::int64_t new_parameters) {
  const double kept = s.ema ? 4 : 3;
  return kept * number_bytes(s) * static_cast<double>(old_parameters + new_parameters);
}

double prediction_memory(const schedule::Schedule& s, const grow::GrowthRecipe& recipe) {
  // The matrices as they were read, side by side, their three factors and what the decomposition
  // copies, each layer's part, and examples of three layers for each.
  constexpr double kCopies = 10;
  double most = 0;
  for (const grow::GrowthStep& step : recipe.steps) {
    const arch::ParamTable targets = arch::param_table(step.to);
    double predicted = 0, decomposed = 0;
    for (std::size_t i = 0; i < step.tensors.size(); ++i)
      if (const auto& prediction = step.tensors[i].prediction) {
        const auto count = static_cast<double>(targets[i].count());
        predicted += count;
        decomposed = std::max(decomposed, count * static_cast<double>(prediction->sources.size()));
      }
    most = std::max(most, number_bytes(s) * predicted + kCopies * sizeof(double) * decomposed);
  }
  return most;
}

double fit_memory(const schedule::Schedule& s, const grow::GrowthRecipe& recipe) {
  const FitCost cost = fit_cost(s, recipe);
  if (cost.steps == 0) return 0;
  schedule::Schedule of_fit = s;
  of_fit.batch.sequences = cost.sequences;
  of_fit.ema.reset();
  const std::int64_t parameters = arch::count_params(recipe.to).total;
  const MemoryParts large = training_memory(of_fit, recipe.to, parameters);
  double entries = 0;
  for (const grow::GrowthStep& step : recipe.steps)
    for (const grow::DenseMap& map : step.maps) entries += static_cast<double>(map.entries.size());
  const double maps = 4 * sizeof(double) * entries;  // with their gradients and both moments
  return growth_memory(s, arch::count_params(recipe.from).total, 0) + large.total() -
         large.moments + maps;
}

double activations_of_the_literature(const arch::ModelConfig& m, std::int64_t sequences,
                                     bool fused_attention) {
  const auto rows = static_cast<double>(sequences * m.context * arch::executed_layers(m));
  const auto attention = fused_attention ? 0.0 : static_cast<double>(5 * m.heads * m.context);
  return rows * (34 * static_cast<double>(m.width) + attention);
}

}  // namespace stagedtrain::plan
