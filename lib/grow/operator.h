// A growth operator is a set of rules over roles and axes, which work for every architecture.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arch/architectures.h"
#include "base/fields.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// The two models of a growth, and the parameter table of the smaller one.
struct GrowthContext {
  const arch::ModelConfig& from;
  const arch::ModelConfig& to;
  const arch::ParamTable& sources;
};

class GrowthOperator {
 public:
  virtual ~GrowthOperator() = default;
  // Returns the larger model. Throws Error(usage) that says which sizes are possible.
  virtual arch::ModelConfig grown(const arch::ModelConfig& from) const = 0;
  // Returns how every tensor of the larger model is made, in the order of its table, and what is
  // promised. The caller fills in from, to, operators and asked.
  virtual GrowthStep step(const GrowthContext& context) const = 0;
  // Returns every option with its value, for the lineage.
  virtual Tree options() const = 0;
};

// One row of the table of operators. `options` is the map in the schedule without the key
// `operator`.
struct OperatorEntry {
  const char* name;
  const char* effect;  // on the model: grows, shrinks or mixes
  const char* grows;   // what changes: axes or states
  const char* exact;
  const char* source;  // the paper
  const char* help;
  std::unique_ptr<GrowthOperator> (*make)(const Tree& options);
  std::vector<FieldRow> (*document)();
};
const std::vector<OperatorEntry>& operators();
// Throws Error(usage) that suggests the nearest name.
const OperatorEntry& find_operator(const std::string& name);

// Returns the recipe of a growth that is written as a list of {operator: NAME, options...}, applied
// in order. path is the list's place in the document, for error messages; it may be empty.
GrowthRecipe make_recipe(const Tree& list, const arch::ModelConfig& from, const std::string& path);

// Makes an operator whose constructor takes its options.
template <class Operator, class Options>
std::unique_ptr<GrowthOperator> make_operator(const Tree& tree, const char* name) {
  Options options;
  read_fields(tree, options, name);
  return std::make_unique<Operator>(options);
}

}  // namespace stagedtrain::grow
