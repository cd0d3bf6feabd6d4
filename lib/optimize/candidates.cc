// Which smaller models may be stages before the final one?
//
// Candidates have the final model's layers divided by a whole number, and its width, heads,
// kv_heads and ffn divided by another (the same one for all, at most kMostFactor). So the operators
// width and depth lead from any candidate to any larger one whose sizes are multiples of its own.
// The context is one of those that the law knows curves of, if there are several
// (fit/law_of_contexts.h). All other keys, head_dim and vocab among them, are the final model's.
//
// Scaling laws count parameters and do not see shapes, so a search over all divisors would choose
// models that only the law considers good. For gpt2-124m.yaml it chose 1 x 768 to begin with, 85%
// of whose parameters are embeddings, and under mixing 1 x 64 (docs/planning.md, "What is
// measured, chosen and stored"). Therefore these are left out:
//   - shapes whose width / depth differs from the final model's by more than kMostAspect;
//   - for published laws that count embeddings, models of mostly embeddings
//     (assumption_warnings.h);
//   - growths by more than kMostGrowthFactor (may_grow()).
// Curves fitted to the user's runs are of sizes that were trained, so the second bound does not
// apply to them.
//
// Rejected: a list of sizes in the schedule. It would have to be written for every final model, and
// a search over the divisors takes milliseconds.
#include "optimize/candidates.h"

#include <algorithm>

#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "base/signals.h"
#include "forecast/assumption_warnings.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr std::int64_t kMostFactor = 64;  // the largest factor of the operator width

std::vector<std::int64_t> depths(const arch::ModelConfig& model) {
  std::vector<std::int64_t> found;
  if (model.layers == 0 || arch::is_looped(model) || arch::has_routed_layers(model))
    return {model.layers};
  for (std::int64_t layers = 1; layers <= model.layers; ++layers)
    if (model.layers % layers == 0) found.push_back(layers);
  return found;
}

std::vector<std::int64_t> contexts(const arch::ModelConfig& model, const PlanningLaw& law) {
  if (law.by_context.empty()) return {model.context};
  std::vector<std::int64_t> found;
  for (const auto& [context, curve] : law.by_context)
    if (context <= model.context) found.push_back(context);
  return found;
}

std::vector<std::int64_t> width_factors(const arch::ModelConfig& m) {
  std::vector<std::int64_t> found;
  for (std::int64_t k = 1; k <= kMostFactor; ++k)
    if (m.width % k == 0 && m.heads % k == 0 && m.kv_heads % k == 0 && m.ffn % k == 0)
      found.push_back(k);
  return found;
}

double aspect(const arch::ModelConfig& m) {
  return static_cast<double>(m.width) / static_cast<double>(m.layers);
}

bool has_likely_shape(const arch::ModelConfig& model, const arch::ModelConfig& final_model) {
  const double ratio = aspect(model) / aspect(final_model);
  return std::max(ratio, 1 / ratio) <= kMostAspect * (1 + 1e-9);
}

Candidate smaller(const arch::ModelConfig& final_model, const PlanningLaw& law,
                  std::int64_t context, std::int64_t layers, std::int64_t width_factor) {
  Candidate candidate;
  candidate.model = final_model;
  candidate.model.context = context;
  candidate.model.layers = layers;
  candidate.model.width /= width_factor;
  candidate.model.heads /= width_factor;
  candidate.model.kv_heads /= width_factor;
  candidate.model.ffn /= width_factor;
  candidate.params = arch::count_params(candidate.model);
  candidate.flops_per_token = arch::flops_per_token(candidate.model);
  candidate.parameters = law.parameters(candidate.params);
  return candidate;
}

// Whether the law overestimates a model because most of its parameters are embeddings, which the
// law counts like layers.
bool looks_abler(const Candidate& size, const PlanningLaw& law) {
  const bool counts_all = size.parameters > static_cast<double>(size.params.non_embedding);
  return law.published && counts_all && embedding_warning("", size.params);
}

}  // namespace

void note_left_out(std::size_t count, const char* why, std::vector<std::string>& notes) {
  if (count > 0)
    notes.push_back(fmt::format("Not considered as stages: {}, because {}.",
                                counted(static_cast<std::int64_t>(count), "smaller model"), why));
}

std::vector<Candidate> candidates(const arch::ModelConfig& final_model, const PlanningLaw& law,
                                  std::vector<std::string>* notes) {
  std::vector<Candidate> found;
  std::size_t odd_shapes = 0, embeddings = 0;
  for (const std::int64_t context : contexts(final_model, law)) {
    for (const std::int64_t layers : depths(final_model)) {
      stop_point("planning");
      for (const std::int64_t k : width_factors(final_model)) {
        const Candidate candidate = smaller(final_model, law, context, layers, k);
        const bool is_last = candidate.model == final_model;
        if (!is_last && !has_likely_shape(candidate.model, final_model)) {
          ++odd_shapes;
        } else if (!is_last && looks_abler(candidate, law)) {
          ++embeddings;
        } else {
          found.push_back(candidate);
        }
      }
    }
  }
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.flops_per_token < b.flops_per_token;
  });
  if (notes) {
    note_left_out(
        odd_shapes,
        "their width / depth is more than 4 times that of the final model, or less than a quarter",
        *notes);
    note_left_out(
        embeddings,
        "more than two thirds of their parameters are embeddings, which the law counts like "
        "layers",
        *notes);
  }
  return found;
}

bool may_grow(const Candidate& from, const Candidate& to) {
  return connected(from.model, to.model) &&
         growth_factor(from.params, to.params) <= kMostGrowthFactor * (1 + 1e-9);
}

bool connected(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  const std::int64_t k = to.width / from.width;
  return from.context <= to.context && from.layers <= to.layers && k >= 1 && k <= kMostFactor &&
         from.width * k == to.width && from.heads * k == to.heads &&
         from.kv_heads * k == to.kv_heads && from.ffn * k == to.ffn && from.head_dim == to.head_dim;
}

Tree growth_between(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  ST_CHECK(connected(from, to), "{} to {}", describe(from), describe(to));
  const auto operation = [](const char* name, const char* key, std::int64_t value) {
    Tree tree = Tree::map();
    tree.set("operator", Tree::scalar(name));
    tree.set(key, Tree::scalar(std::to_string(value)));
    return tree;
  };
  std::vector<Tree> list;
  if (to.width > from.width) list.push_back(operation("width", "factor", to.width / from.width));
  if (to.layers > from.layers) list.push_back(operation("depth", "layers", to.layers));
  if (to.context > from.context) list.push_back(operation("context", "length", to.context));
  return Tree::list(std::move(list));
}

}  // namespace stagedtrain::plan
