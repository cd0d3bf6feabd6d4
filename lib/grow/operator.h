// What a growth operator is: a few rules over roles and axes, the same for every architecture.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arch/architectures.h"
#include "base/fields.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// The two models between which a rule works.
struct GrowthContext {
  const arch::ModelConfig& from;
  const arch::ModelConfig& to;
  const arch::ParamTable& sources;
};

class GrowthOperator {
 public:
  virtual ~GrowthOperator() = default;
  // The larger model. Throws Error(usage) that says which sizes would be possible.
  virtual arch::ModelConfig grown(const arch::ModelConfig& from) const = 0;
  // How every tensor of the larger model is made, in the order of its table, and what is promised.
  // from, to and operators of the step are filled in by the caller.
  virtual GrowthStep step(const GrowthContext& context) const = 0;
  // Every option with its value, for the lineage.
  virtual Tree options() const = 0;
};

// One line of the table of operators. options: the map written in the schedule, without `operator`.
struct OperatorEntry {
  const char* name;
  const char* effect;  // on the model: grows, shrinks or mixes
  const char* grows;   // what of it: axes, or states
  const char* exact;
  const char* source;  // the paper
  const char* help;
  std::unique_ptr<GrowthOperator> (*make)(const Tree& options);
  std::vector<FieldRow> (*document)();
};
const std::vector<OperatorEntry>& operators();
// Throws Error(usage) with the nearest name.
const OperatorEntry& find_operator(const std::string& name);

// The recipe of a growth written as a list of {operator: NAME, options...}, applied in order.
// path is where the list stands in the document, for errors; it may be empty.
GrowthRecipe make_recipe(const Tree& list, const arch::ModelConfig& from, const std::string& path);

// Reads the options of an operator whose type takes them in its constructor.
template <class Operator, class Options>
std::unique_ptr<GrowthOperator> make_operator(const Tree& tree, const char* name) {
  Options options;
  read_fields(tree, options, name);
  return std::make_unique<Operator>(options);
}

}  // namespace stagedtrain::grow
