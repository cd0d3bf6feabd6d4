// Sets the stages of a schedule by a rule: its sizes, and its shares of the run in whole steps.
#include "lengths/rule_plan.h"

#include <algorithm>
#include <cmath>

#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "plan/chosen_stages.h"
#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

constexpr std::int64_t kStagesOfProportional = 4, kMostStacking = 4;

Tree operation(const char* name, const char* key, std::int64_t value) {
  Tree tree = Tree::map();
  tree.set("operator", Tree::scalar(name));
  tree.set(key, Tree::scalar(std::to_string(value)));
  return tree;
}

ChosenStage first_stage(const arch::ModelConfig& model) {
  return {size_name(model), model, {}, 0, 0};
}

// Returns a stage of more layers. Stacking appends copies of all layers and changes the loss; the
// other growth keeps it.
ChosenStage deeper_stage(const arch::ModelConfig& model, bool stacked) {
  Tree depth = operation("depth", "layers", model.layers);
  if (stacked) {
    depth.set("order", Tree::scalar("append"));
    depth.set("new_layers", Tree::scalar("copied"));
  }
  return {size_name(model), model, Tree::list({depth}), 0, 0};
}

// Returns stages with these numbers of layers; the last one is the final model's.
std::vector<ChosenStage> by_depth(arch::ModelConfig model, const std::vector<std::int64_t>& layers,
                                  bool stacked) {
  std::vector<ChosenStage> stages;
  for (std::int64_t count : layers) {
    model.layers = count;
    stages.push_back(stages.empty() ? first_stage(model) : deeper_stage(model, stacked));
  }
  return stages;
}

std::vector<ChosenStage> equal_depths(const arch::ModelConfig& model, std::int64_t stages) {
  if (model.layers % stages != 0)
    throw usage_error("{} stages do not divide the {} layers of the final model into equal steps",
                      stages, model.layers)
        .with_hint("give another --stages, or write the stages into the schedule");
  std::vector<std::int64_t> layers;
  for (std::int64_t i = 1; i <= stages; ++i) layers.push_back(model.layers * i / stages);
  return by_depth(model, layers, false);
}

std::vector<ChosenStage> half_width(arch::ModelConfig model, const std::string& rule) {
  arch::ModelConfig small = model;
  for (std::int64_t* size : {&small.width, &small.heads, &small.kv_heads, &small.ffn}) {
    if (*size % 2 != 0)
      throw usage_error("{}: width {}, heads {}, kv_heads {}, ffn {}, expected even numbers", rule,
                        model.width, model.heads, model.kv_heads, model.ffn);
    *size /= 2;
  }
  return {first_stage(small),
          {size_name(model), model, Tree::list({operation("width", "factor", 2)}), 0, 0}};
}

std::vector<ChosenStage> rules_own(const arch::ModelConfig& model, const RuleOptions& options) {
  const std::string& rule = options.rule;
  const std::int64_t layers = model.layers;
  if (rule == "paper-width") return half_width(model, rule);
  require_plain_stack(model, "--rule " + rule);
  if (rule == "one-jump") return by_depth(model, {1, layers}, false);
  if (rule == "paper-depth") return equal_depths(model, options.stages ? options.stages : 2);
  if (rule == "g-stack") {
    std::int64_t factor = std::min(kMostStacking, layers);
    while (layers % factor != 0) --factor;
    if (factor < 2)
      throw usage_error("g-stack: {} layers cannot be divided into 2, 3 or 4 equal parts", layers);
    return by_depth(model, {layers / factor, layers}, true);
  }
  return equal_depths(model, options.stages ? options.stages : kStagesOfProportional);
}

std::vector<ChosenStage> schedules_own(const RunPlan& base) {
  std::vector<ChosenStage> stages;
  for (std::size_t i = 0; i < base.stages.size(); ++i) {
    const schedule::StageSpec& own = base.schedule.stages[i];
    stages.push_back(
        {own.name, base.stages[i].model, own.grow, 0, 0, own.train_only, own.policies});
  }
  return stages;
}

scaling::RuleAnswer answer_of(const scaling::Rule& rule, const RunPlan& base,
                              const RuleOptions& options, const std::vector<ChosenStage>& stages) {
  const auto tokens = static_cast<double>(base.tokens);
  const double decay =
      static_cast<double>(base.decay_steps) / static_cast<double>(base.total_steps);
  scaling::RuleQuestion question;
  question.stages = stages.size();
  question.parameters = static_cast<double>(arch::count_params(base.final_model).total);
  question.run = {.tokens = tokens, .decay = decay * tokens, .mixing = options.mixing_tokens};
  const arch::ParamCount small = arch::count_params(stages[0].model);
  if (auto curve = curve_at(options.law, options.law.parameters(small), stages[0].model.context))
    question.small = {stages[0].name, arch::flops_per_token(stages[0].model), std::move(curve)};
  if (options.law.published) {
    question.small_inner = static_cast<double>(small.non_embedding);
    question.final_inner = static_cast<double>(arch::count_params(base.final_model).non_embedding);
  }
  return rule.answer(question);
}

// Sets lengths in whole steps: each growth comes at the step nearest to its share.
void set_lengths(const RunPlan& base, const std::vector<double>& shares,
                 std::vector<ChosenStage>& stages) {
  if (base.total_steps < static_cast<std::int64_t>(stages.size()))
    throw usage_error("{} steps for {} stages, expected at least one step for each",
                      base.total_steps, stages.size());
  double sum = 0;
  std::int64_t before = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    sum += shares[i];
    const auto left = static_cast<std::int64_t>(stages.size() - 1 - i);
    const auto end =
        std::clamp<std::int64_t>(std::llround(sum * static_cast<double>(base.total_steps)),
                                 before + 1, base.total_steps - left);
    stages[i].steps = end - before;
    stages[i].tokens = shares[i] * static_cast<double>(base.tokens);
    before = end;
  }
  stages.back().steps += base.total_steps - before;
}

void check_sizes(const std::string& rule, const std::vector<ChosenStage>& stages,
                 std::vector<std::string>& warnings) {
  if (stages.size() != 2) return;
  const arch::ModelConfig &a = stages[0].model, &b = stages[1].model;
  const bool deeper = b.layers == 2 * a.layers && b.width == a.width;
  const bool wider = b.layers == a.layers && b.width == 2 * a.width;
  if ((rule == "paper-depth" && !deeper) || (rule == "paper-width" && !wider))
    warnings.push_back(fmt::format("{}: the rule is for doubled {}, but {} grows into {}", rule,
                                   rule == "paper-depth" ? "depth" : "width", size_name(a),
                                   size_name(b)));
  if (rule == "g-stack" && b.layers > kMostStacking * a.layers)
    warnings.push_back(fmt::format("g-stack: {} times the layers; its authors recommend 4",
                                   b.layers / std::max<std::int64_t>(1, a.layers)));
}

}  // namespace

void require_plain_stack(const arch::ModelConfig& model, const std::string& what) {
  if (arch::has_routed_layers(model))
    throw usage_error(
        "{}: found a model with routed layers (routed_every {}), expected one without", what,
        model.routed_every)
        .with_hint(
            "plan the stages of the model without routers, and add them in a last stage: "
            "docs/growth.md, \"Routed layers\"");
  if (!arch::is_looped(model)) return;
  throw usage_error(
      "{}: found a model with a looped core (core {}, passes {}), expected one without: its stages "
      "are stacks of fewer layers",
      what, model.core, model.passes)
      .with_hint(
          "write the stages into the schedule (operators passes and untie), and set their lengths "
          "with --rule");
}

RulePlan plan_by_rule(const schedule::Schedule& s, const RuleOptions& options,
                      const DataFacts& facts) {
  if (!s.from.empty())
    throw usage_error("--rule: the schedule starts from {}, expected fresh weights", s.from)
        .with_hint("remove the key from");
  RulePlan plan;
  plan.rule = &scaling::find_rule(options.rule);
  const RunPlan base = resolve(s, facts);
  const bool keeps = options.stages == 0 && base.stages.size() > 1;
  std::vector<ChosenStage> stages =
      keeps ? schedules_own(base) : rules_own(base.final_model, options);
  const scaling::RuleAnswer answer = answer_of(*plan.rule, base, options, stages);
  set_lengths(base, answer.shares, stages);
  plan.warnings = answer.warnings;
  check_sizes(options.rule, stages, plan.warnings);
  plan.schedule = with_stages(s, stages);
  return plan;
}

std::string to_text(const RulePlan& plan) {
  std::string text = fmt::format("rule   {}: {}\nfrom   {}\nvalid  {}\n", plan.rule->name,
                                 plan.rule->says, plan.rule->source, plan.rule->valid);
  for (const std::string& warning : plan.warnings) text += warning_text(warning);
  return text + "\n";
}

Json to_json(const RulePlan& plan) {
  return {{"name", plan.rule->name},
          {"says", plan.rule->says},
          {"source", plan.rule->source},
          {"valid", plan.rule->valid},
          {"warnings", plan.warnings}};
}

}  // namespace stagedtrain::plan
