// Small models of odd sizes, as checkpoints, for tests of import and export.
#pragma once

#include <algorithm>
#include <cmath>

#include "arch/architectures.h"
#include "base/rng.h"
#include "checkpoint/checkpoint.h"

namespace stagedtrain::test {

// GQA and odd sizes; ffn is a multiple of 32 so that its rows have whole blocks.
inline arch::ModelConfig small_llama(bool tied = true, std::int64_t experts = 0) {
  arch::ModelConfig model;
  model.architecture = "llama";
  model.layers = 2;
  model.width = 32;
  model.heads = 4;
  model.kv_heads = 2;
  model.head_dim = 6;
  model.ffn = 64;
  model.vocab = 257;
  model.context = 19;
  model.tied = tied;
  model.norm_eps = 2e-5;
  model.rope_theta = 50000;
  model.experts = experts;
  return arch::resolved(model);
}
inline arch::ModelConfig small_gpt2(bool tied = true) {
  arch::ModelConfig model;
  model.architecture = "gpt2";
  model.layers = 3;
  model.width = 12;
  model.heads = 3;
  model.vocab = 261;
  model.context = 11;
  model.tied = tied;
  return arch::resolved(model);
}

inline arch::ModelConfig small_of(const std::string& architecture, bool tied = true,
                                  std::int64_t experts = 0) {
  arch::ModelConfig model = small_llama(tied, experts);
  model.architecture = architecture;
  if (architecture == "neox") {  // heads as large as width says, without groups
    model.head_dim = model.value_dim = 8;
    model.kv_heads = model.heads;
    model.rotary_share = 0.5;
  }
  if (architecture == "olmoe") {  // as llama.cpp reads it; gates do not add up to 1
    model.kv_heads = model.heads;
    model.head_dim = model.value_dim = 8;
    model.norm_topk = false;
  }
  return arch::resolved(model);
}
inline arch::ModelConfig small_scaled(const std::string& scaling) {
  arch::ModelConfig model = small_llama();
  model.rope_scaling = scaling;
  model.rope_factor = 4;
  if (scaling == "llama3") {
    model.rope_low = 0.5;
    model.rope_high = 3;
    model.rope_original = 12;
  }
  return arch::resolved(model);
}

// Every number of every tensor is another one, norms included.
inline state::TrainingState random_model(const arch::ModelConfig& model, std::uint64_t seed = 1) {
  state::TrainingState state = state::fresh(model, seed);
  const arch::ParamTable table = arch::param_table(model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const CounterRng rng(seed, hash_name(table[i].name));
    const std::span<float> weights = state.of(state::TensorKind::weights)[i].as<float>();
    for (std::size_t j = 0; j < weights.size(); ++j)
      weights[j] = static_cast<float>(.05 * rng.normal(j) + (table[i].axes.size() == 1));
  }
  return state;
}

// The largest difference of two states' weights, or infinity if their models differ.
inline double weight_distance(const state::TrainingState& a, const state::TrainingState& b) {
  if (!(a.model == b.model)) return HUGE_VAL;
  double most = 0;
  const auto& left = a.of(state::TensorKind::weights);
  for (std::size_t i = 0; i < left.size(); ++i)
    for (std::int64_t j = 0; j < left[i].count(); ++j)
      most = std::max(most, std::abs(left[i].at(j) - b.of(state::TensorKind::weights)[i].at(j)));
  return most;
}

}  // namespace stagedtrain::test
