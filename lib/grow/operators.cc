// The table of operators, and making one recipe of a list of them.
#include "base/error.h"
#include "grow/operator.h"

namespace stagedtrain::grow {
namespace {

GrowthRecipe recipe_of(const GrowthOperator& op, const arch::ModelConfig& from) {
  GrowthRecipe recipe{from, op.grown(from), {}, op.exact(), "", op.equivariant()};
  const arch::ParamTable sources = arch::param_table(from);
  const GrowthContext context{from, recipe.to, sources};
  for (const arch::ParamSpec& target : arch::param_table(recipe.to))
    recipe.tensors.push_back(op.rule(target, context));
  return recipe;
}

// "{operator: width, factor: 2}"
std::string one_line(const char* name, const Tree& options) {
  Tree whole = Tree::map();
  whole.set("operator", Tree::scalar(name));
  const std::string list = to_yaml(Tree::list({overlay(whole, options)}));
  return list.substr(1, list.size() - 3);  // without brackets and line end
}

GrowthRecipe one_recipe(const Tree& written, const arch::ModelConfig& from,
                        const std::string& path) {
  const Tree& map = expect_map(written, path);
  const Tree* name = map.find("operator");
  if (!name) throw map.error("{}: key 'operator' is missing", path);
  Tree options = map;
  options.erase("operator");
  const OperatorEntry& entry = at_place(
      *name, path, [&]() -> const OperatorEntry& { return find_operator(read_word(*name, {})); });
  const auto op = entry.make(options);
  GrowthRecipe recipe = at_place(*name, path, [&] { return recipe_of(*op, from); });
  recipe.operators = one_line(entry.name, op->options());
  return recipe;
}

}  // namespace

const std::vector<OperatorEntry>& operators() {
  static const std::vector<OperatorEntry> table = {
      {"width", "residual, heads, ffn", "yes", "Staged Training, arXiv 2203.06211",
       "multiplies the width: block-diagonal matrices, everything else tiled", make_width,
       document_width},
      {"depth", "layers", "with zero_output", "Staged Training, arXiv 2203.06211",
       "adds layers: copies with zeroed outputs, or plain copies", make_depth, document_depth},
  };
  return table;
}

const OperatorEntry& find_operator(const std::string& name) {
  std::vector<std::string> names;
  for (const OperatorEntry& entry : operators()) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  throw usage_error("unknown operator '{}'{}", name, suggestion(name, names));
}

GrowthRecipe make_recipe(const Tree& list, const arch::ModelConfig& from, const std::string& path) {
  if (list.kind != Tree::Kind::list || list.items.empty())
    throw list.error("{}: found {}, expected a list of operators [{{operator: depth, layers: 12}}]",
                     path, list.describe());
  GrowthRecipe recipe = identity(from);
  for (std::size_t i = 0; i < list.items.size(); ++i)
    recipe = compose(recipe, one_recipe(list.items[i], recipe.to,
                                        path.empty() ? "" : fmt::format("{}.{}", path, i)));
  check_recipe(recipe);
  return recipe;
}

}  // namespace stagedtrain::grow
