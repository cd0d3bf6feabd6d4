// What the tests of growth share: recipes from YAML, tensors by name.
#pragma once

#include <string>

#include "apply/apply.h"
#include "arch/architectures.h"
#include "grow/operator.h"
#include "schedule/yaml.h"
#include "support/catch.h"
#include "support/tiny_state.h"

namespace stagedtrain::test {

// The recipe of a list of operators as a schedule has it.
inline grow::GrowthRecipe recipe_of(const std::string& list,
                                    const arch::ModelConfig& from = tiny_model()) {
  return grow::make_recipe(schedule::parse_yaml(list, "s.yaml"), from, "grow");
}

inline state::TrainingState grown(const grow::GrowthRecipe& recipe,
                                  const state::TrainingState& from) {
  return grow::apply(recipe, clone(from));
}

inline std::size_t index_of(const arch::ModelConfig& model, const std::string& name) {
  const std::int64_t index = arch::param_table(model).index(name);
  REQUIRE(index >= 0);
  return static_cast<std::size_t>(index);
}

inline const state::HostTensor& tensor(const state::TrainingState& state, state::TensorKind kind,
                                       const std::string& name) {
  return state.of(kind)[index_of(state.model, name)];
}

// The states' first difference but for their lineage and the generations that count it.
inline std::string difference_in_values(const state::TrainingState& a,
                                        const state::TrainingState& b) {
  state::TrainingState one = clone(a), other = clone(b);
  for (state::TrainingState* state : {&one, &other}) {
    state->lineage.clear();
    for (state::TensorHistory& history : state->histories) history.generation = 0;
  }
  return difference(one, other);
}

}  // namespace stagedtrain::test
