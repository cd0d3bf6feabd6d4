// Lists all growth operators, and turns a schedule's list of operators into one recipe.
#include "operators/operators.h"

#include "arch/routed_layers.h"
#include "base/error.h"
#include "grow/parameterized.h"
#include "learned/learned_growth.h"
#include "operators/looped_growth.h"

namespace stagedtrain::grow {
namespace {

// Returns the operator as one line of YAML, such as "{operator: width, factor: 2}".
std::string one_line(const char* name, const Tree& options) {
  Tree whole = Tree::map();
  whole.set("operator", Tree::scalar(name));
  const std::string list = to_yaml(Tree::list({overlay(whole, options)}));
  return list.substr(1, list.size() - 3);  // removes the list's brackets and the newline
}

GrowthStep make_step(const GrowthOperator& op, const arch::ModelConfig& from) {
  const arch::ModelConfig to = op.grown(from);
  const arch::ParamTable sources = arch::param_table(from);
  GrowthStep step = op.step({from, to, sources});
  step.from = from;
  step.to = to;
  follow_parameterization(step);
  return step;
}

void check_routed_source(const OperatorEntry& entry, const arch::ModelConfig& from) {
  if (entry.grows_routed || !arch::has_routed_layers(from)) return;
  throw usage_error("{}: found a model with routed layers, expected one without (routed_every 0)",
                    entry.name)
      .with_hint("docs/growth.md, \"Routed layers\", says what such a model can be grown by");
}

GrowthStep read_step(const Tree& written, const arch::ModelConfig& from, const std::string& path) {
  const Tree& map = expect_map(written, path);
  const Tree* name = map.find("operator");
  if (!name) throw map.error("{}: key 'operator' is missing", path);
  Tree options = map;
  options.erase("operator");
  const OperatorEntry& entry = at_place(
      *name, path, [&]() -> const OperatorEntry& { return find_operator(read_word(*name, {})); });
  const auto op = entry.make(options);
  GrowthStep step = at_place(*name, path, [&] {
    check_routed_source(entry, from);
    GrowthStep made = make_step(*op, from);
    check_boundaries_kept(entry.name, made);
    return made;
  });
  step.shrinks = entry.effect == std::string_view("shrinks");
  step.operators = one_line(entry.name, op->options());
  step.asked = one_line(entry.name, options);
  return step;
}

}  // namespace

const std::vector<OperatorEntry>& operators() {
  static const std::vector<OperatorEntry> table = {
      {"width", "grows", "residual, heads, ffn", "yes", "Staged Training, arXiv 2203.06211",
       "multiplies the width: matrices become block-diagonal, everything else is tiled", make_width,
       document_width},
      {"clone", "grows", "residual, heads, ffn", "with copies in turn",
       "HyperCloning, arXiv 2409.12903",
       "multiplies the width: every matrix is spread evenly, or by given coefficients", make_clone,
       document_clone},
      {"depth", "grows", "layers", "with zero_output or identity",
       "Staged Training, arXiv 2203.06211",
       "adds layers: with zeroed outputs, plain copies or fresh ones, in any order", make_depth,
       document_depth},
      {"stack", "grows", "layers", "with zero_output", "G_stack, arXiv 2405.15319",
       "appends copies of all old layers, in their order", make_stack, document_stack},
      {"rms_copy", "grows", "residual, heads, ffn", "at whole multiples of width",
       "SPARKLING, arXiv 2602.02472", "widens by any fraction, with copies whose moments restart",
       make_rms_copy, document_rms_copy},
      {"lemon", "grows", "residual, heads, ffn, head_dim, layers", "yes", "LEMON, arXiv 2310.07999",
       "any larger width and depth: whole copies, padding for the rest, corrected norms",
       make_lemon, document_lemon},
      {"expand", "grows", "residual, heads, ffn, head_dim, layers", "yes",
       "Gesmundo and Maile, arXiv 2308.06103",
       "composable expansions: new weights are zero where the loss requires it, else random",
       make_expand, document_expand},
      {"ligo", "grows", "residual, heads, ffn, layers", "no", "LiGO, arXiv 2303.00980",
       "learns the growth: some steps train maps of width and depth, which are then applied",
       make_ligo, document_ligo, false},
      {"mango", "grows", "residual, heads, ffn, layers", "no", "Mango, arXiv 2310.10699",
       "learns the growth with one ring of maps that all matrices share", make_mango,
       document_mango, false},
      {"mask", "grows", "residual, heads, ffn, layers", "at the growth", "MSG, arXiv 2305.02869",
       "adds fresh dimensions behind a mask that rises from 0 to 1 during training", make_mask,
       document_mask, false},
      {"llama_pro", "grows", "layers", "yes", "LLaMA-Pro, arXiv 2401.02415",
       "adds layers with zeroed outputs after groups of old ones", make_llama_pro,
       document_llama_pro},
      {"untie", "grows", "layers", "yes, bit for bit", "after arXiv 2609.19107",
       "gives each pass of a looped core its own copy of the layers", make_untie, document_untie},
      {"passes", "grows", "passes, layers", "no", "arXiv 2609.19107",
       "runs a looped core more often; untied cores are copied", make_passes, document_passes},
      {"route", "grows", "routers", "with base 2", "DLO, arXiv 2407.11030",
       "gives some layers routers, which choose the tokens that pass through them", make_route,
       document_route},
      {"upcycle", "grows", "experts", "without noise", "Sparse Upcycling, arXiv 2212.05055",
       "turns a dense feed-forward into experts behind a router", make_upcycle, document_upcycle},
      {"experts", "grows", "experts", "without noise, all copies chosen",
       "Expert Upcycling, arXiv 2604.19835",
       "copies experts, each copy with its own row of the router", make_experts, document_experts},
      {"merge", "mixes", "states, side by side in residual, heads, ffn", "no",
       "Deep Fusion, arXiv 2306.11903",
       "puts several small states of one shape side by side in a larger one", make_merge,
       document_merge, false},
      {"coalesce", "shrinks", "residual, heads, ffn, layers", "no",
       "multi-level framework, arXiv 2404.07999",
       "makes a smaller state: groups of indices and layers become their means", make_coalesce,
       document_coalesce, false},
      {"decoalesce", "grows", "residual, heads, ffn, layers", "in width",
       "multi-level framework, arXiv 2404.07999", "undoes coalesce: copies indices and layers",
       make_decoalesce, document_decoalesce, false},
      {"corner", "shrinks", "residual, heads, ffn", "no",
       "Gap Preserving Distillation, arXiv 2410.04140",
       "takes out the small model in the corner of the matrices, as clone or teacher made it",
       make_corner, document_corner},
      {"interpolate", "mixes", "states of one shape", "no",
       "multi-level framework, arXiv 2404.07999", "mixes two states of one shape", make_interpolate,
       document_interpolate},
      {"vocabulary", "grows", "vocab", "no", "common practice",
       "adds token ids: new rows begin as the mean of the old ones, with noise", make_vocabulary,
       document_vocabulary},
      {"context", "grows", "position", "no", "common practice",
       "allows longer sequences: learned positions are stretched, tiled or fresh", make_context,
       document_context},
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
  GrowthRecipe recipe{from, from, {}};
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0 && recipe.steps.back().mask_steps > 0)
      throw list.items[i].error(
          "{}.{}: found an operator after mask, expected mask to be the last of a growth: what it "
          "adds cannot grow before its mask has risen to 1",
          path, i);
    recipe.steps.push_back(
        read_step(list.items[i], recipe.to, path.empty() ? "" : fmt::format("{}.{}", path, i)));
    recipe.to = recipe.steps.back().to;
  }
  if (list.items.size() > 1 && needs_fit(recipe))
    throw list
        .error(
            "{}: found {} operators, expected ligo or mango alone: its fit trains the model that "
            "this growth makes, from the weights of the stage before",
            path, list.items.size())
        .with_hint("give the other operators a stage of their own, or set fit.steps: 0");
  check_recipe(recipe);
  return recipe;
}

}  // namespace stagedtrain::grow
