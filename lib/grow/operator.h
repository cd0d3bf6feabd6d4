// What is a growth operator? Rules over the roles and axes of tensors, which therefore hold for
// every architecture.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arch/architectures.h"
#include "grow/recipe.h"
#include "text/fields.h"

namespace stagedtrain::grow {

// The models before and after one operator, and the parameter table of `from`. It holds references
// only, so it must not outlive what they refer to.
struct GrowthContext {
  const arch::ModelConfig& from;
  const arch::ModelConfig& to;
  const arch::ParamTable& sources;
};

class GrowthOperator {
 public:
  virtual ~GrowthOperator() = default;
  // Returns the configuration that the operator makes of `from`. Throws Error(usage) if the options
  // do not fit `from`; the message names the sizes that would.
  virtual arch::ModelConfig grown(const arch::ModelConfig& from) const = 0;
  // Returns a recipe for every tensor of context.to, in the order of its parameter table, and the
  // promises that hold. make_recipe fills in from, to, operators and asked. Throws Error(usage) if
  // this model cannot be grown in this way, for instance if its norms would see new entries.
  virtual GrowthStep step(const GrowthContext& context) const = 0;
  // Returns every option with its value, defaults included. The lineage records them.
  virtual Tree options() const = 0;
};

// One row of the table of operators. `make` takes the operator's map in a schedule without the key
// `operator`, and throws Error(usage) if an option is unknown or its value is not allowed.
struct OperatorEntry {
  const char* name;
  const char* effect;  // what it does to the model: grows, shrinks or mixes
  const char* grows;   // the axes or states that change
  const char* exact;   // when the loss is kept
  const char* source;  // the paper
  const char* help;    // one line
  std::unique_ptr<GrowthOperator> (*make)(const Tree& options);
  std::vector<FieldRow> (*document)();
  // Whether it can grow a model with routed layers (arch/routed_layers.h). Learned maps and means
  // over layers take a matrix of every layer, of which only some have routers; a mask would have to
  // reach what routers read; and of states side by side, a layer would have one router for all.
  bool grows_routed = true;
};
const std::vector<OperatorEntry>& operators();
// Returns the operator of this name. Throws Error(usage) with the nearest name if there is none.
const OperatorEntry& find_operator(const std::string& name);

// Returns the checked recipe of a list of {operator: NAME, options...}, which are applied in order
// to the model `from`. Throws Error(usage) at the place of the fault if the list is empty, an
// operator cannot be applied to the model that it gets, or one follows mask. `path` is the path of
// the list in its document and starts the messages; it may be empty.
GrowthRecipe make_recipe(const Tree& list, const arch::ModelConfig& from, const std::string& path);

// Reads the options of the operator `name` and constructs it from them. Throws Error(usage) at
// their place for unknown options, wrong values, and options that exclude one another.
template <class Operator, class Options>
std::unique_ptr<GrowthOperator> make_operator(const Tree& tree, const char* name) {
  Options options;
  read_fields(tree, options, name);
  return at_place(tree, "", [&] { return std::make_unique<Operator>(options); });
}

}  // namespace stagedtrain::grow
