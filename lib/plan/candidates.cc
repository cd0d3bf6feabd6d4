// Divisors of the final model, for depth and for width.
#include "plan/candidates.h"

#include <algorithm>

#include "base/signals.h"

namespace stagedtrain::plan {
namespace {

constexpr std::int64_t kMostFactor = 64;  // of the operator width

std::vector<std::int64_t> depths(const arch::ModelConfig& model) {
  std::vector<std::int64_t> found;
  for (std::int64_t layers = 1; layers <= model.layers; ++layers)
    if (model.layers % layers == 0) found.push_back(layers);
  return found;
}

std::vector<std::int64_t> width_factors(const arch::ModelConfig& m) {
  std::vector<std::int64_t> found;
  for (std::int64_t k = 1; k <= kMostFactor; ++k)
    if (m.width % k == 0 && m.heads % k == 0 && m.kv_heads % k == 0 && m.ffn % k == 0)
      found.push_back(k);
  return found;
}

}  // namespace

std::vector<Candidate> candidates(const arch::ModelConfig& final_model, const PlanningLaw& law) {
  std::vector<Candidate> found;
  for (std::int64_t layers : depths(final_model)) {
    stop_point("planning");
    for (std::int64_t k : width_factors(final_model)) {
      Candidate candidate;
      candidate.model = final_model;
      candidate.model.layers = layers;
      candidate.model.width /= k;
      candidate.model.heads /= k;
      candidate.model.kv_heads /= k;
      candidate.model.ffn /= k;
      candidate.params = arch::count_params(candidate.model);
      candidate.flops_per_token = arch::flops_per_token(candidate.model);
      candidate.parameters = law.parameters(candidate.params);
      found.push_back(candidate);
    }
  }
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.flops_per_token < b.flops_per_token;
  });
  return found;
}

bool connected(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  const std::int64_t k = to.width / from.width;
  return from.layers <= to.layers && k >= 1 && k <= kMostFactor && from.width * k == to.width &&
         from.heads * k == to.heads && from.kv_heads * k == to.kv_heads && from.ffn * k == to.ffn &&
         from.head_dim == to.head_dim;
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
  return Tree::list(std::move(list));
}

}  // namespace stagedtrain::plan
