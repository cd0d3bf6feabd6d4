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
  // How one tensor of the larger model is made.
  virtual TensorRecipe rule(const arch::ParamSpec& target, const GrowthContext& context) const = 0;
  // The promises of GrowthRecipe: the loss is kept; the gradient is the grown gradient.
  virtual bool exact() const = 0;
  virtual bool equivariant() const = 0;
  // Every option with its value, for the lineage.
  virtual Tree options() const = 0;
};

// Options every duplicating operator shares: a seeded break of the symmetry between copies that
// keeps the loss (docs/growth.md: rows balanced, columns not). noise is relative to each
// matrix's root mean square; 0 leaves the copies equal for ever.
struct Symmetry {
  double noise = 0.01;
  std::int64_t seed = 7;
  template <class V>
  void fields(V& v) {
    v("noise", noise,
      {.doc = "size of the break, relative to each matrix's root mean square; 0: none, and the "
              "copies stay equal for ever",
       .min = 0,
       .max = 1});
    v("seed", seed, {.doc = "seed of the break", .min = 0});
  }
};

// One line of the table of operators. options: the map written in the schedule, without `operator`.
struct OperatorEntry {
  const char* name;
  const char* grows;
  const char* exact;
  const char* source;  // the paper
  const char* help;
  std::unique_ptr<GrowthOperator> (*make)(const Tree& options);
  std::vector<FieldRow> (*document)();
};
const std::vector<OperatorEntry>& operators();
// Throws Error(usage) with the nearest name.
const OperatorEntry& find_operator(const std::string& name);

// The recipe of a growth written as a list of {operator: NAME, options...}, applied in order, as
// one recipe. path is where the list stands in the document, for errors; it may be empty.
GrowthRecipe make_recipe(const Tree& list, const arch::ModelConfig& from, const std::string& path);

// width.cc, depth.cc
std::unique_ptr<GrowthOperator> make_width(const Tree& options);
std::vector<FieldRow> document_width();
std::unique_ptr<GrowthOperator> make_depth(const Tree& options);
std::vector<FieldRow> document_depth();

}  // namespace stagedtrain::grow
