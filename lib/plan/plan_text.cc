// Prints a plan as a table, as JSON, and as a complete schedule.
#include <algorithm>
#include <cmath>

#include "arch/loops.h"
#include "arch/size_text.h"
#include "data/selected_windows.h"
#include "plan/parameterization.h"
#include "plan/run_plan.h"
#include "plan/selection_cost.h"
#include "plan/stage_policy.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

std::string count_text(std::int64_t count) { return short_count(static_cast<double>(count)); }
std::string bytes_text(std::uint64_t bytes) { return short_bytes(static_cast<double>(bytes)); }

std::string stage_table(const RunPlan& plan) {
  std::vector<std::vector<std::string>> rows = {{"stage", "model", "params", "FLOPs/tok", "steps",
                                                 "tokens", "FLOPs", "peak lr", "memory",
                                                 "checkpoint"}};
  for (const StagePlan& stage : plan.stages) {
    if (stage.fit.steps > 0)  // its steps are none of the run's
      rows.push_back({"fit of " + stage.name, "", "", "", fmt::format("({})", stage.fit.steps),
                      count_text(stage.fit.tokens), short_count(stage.fit.flops), "", "", ""});
    if (stage.selection.passes > 0)  // before some of the stage's steps
      rows.push_back(
          {"data selection", "", "", "", "", "", selection_flops_text(stage), "", "", ""});
    if (const std::string start = start_flops_text(stage); !start.empty())
      rows.push_back({"sensitivity pass", "", "", "", "", "", start, "", "", ""});
    rows.push_back({stage.name, arch::layers_by_width(stage.model), count_text(stage.params.total),
                    short_count(expected_flops_per_token(stage).total), grouped(stage.steps),
                    count_text(stage.tokens), short_count(stage.flops),
                    format_number(stage.peak_lr), bytes_text(stage.memory_bytes),
                    bytes_text(stage.checkpoint_bytes)});
  }
  rows.push_back({"total", "", "", "", grouped(plan.total_steps), count_text(plan.tokens),
                  total_flops_text(plan), "", "", ""});
  return text_table(rows, 2, "");
}

// Describes what a stage leaves out, and what that saves.
std::string policy_notes(const StagePlan& stage) {
  if (stage.is_whole()) return "";
  std::string text = "  ";
  if (const Policy* policy = stage_policy(stage))
    text += stagedtrain::wrapped(policy->description(policy_stage(stage)), 96, "  ");
  else
    text += "only what the growth added is trained\n";
  const double saved = 1 - flops_share(stage);
  return text +
         fmt::format("  a token costs {} FLOPs, {:.1f}% {} than a whole step of this model\n",
                     short_count(expected_flops_per_token(stage).total), 100 * std::abs(saved),
                     saved < 0 ? "more" : "less");
}

// Describes what choosing the stage's data costs.
std::string selection_notes(const RunPlan& plan, const StagePlan& stage) {
  const SelectionCost& cost = stage.selection;
  if (cost.passes == 0) return "";
  if (cost.windows == 0)
    return "  what choosing its data costs is not known, nor counted, without the file "
           "data.train\n";
  const schedule::SelectSpec& select = *plan.schedule.data.select;
  const auto steps = static_cast<double>(stage.steps * plan.schedule.batch.sequences);
  return "  " +
         stagedtrain::wrapped(
             fmt::format(
                 "chooses its data by {} of {} through {} of {}: {} FLOPs, {:.3g}% of all, "
                 "as much as {} of its steps; the steps take {:.3g} times the {} windows of "
                 "a subset",
                 cost.passes == 1 ? "a pass" : fmt::format("{} passes", cost.passes),
                 counted(cost.windows, "window"), feature_layers(select, stage.model.layers),
                 counted(stage.model.layers, "layer"), short_count(cost.flops),
                 100 * cost.flops / plan.flops,
                 grouped(std::llround(cost.flops / stage.flops * static_cast<double>(stage.steps))),
                 steps / static_cast<double>(data::subset_size(cost.windows, select.share)),
                 grouped(data::subset_size(cost.windows, select.share))),
             96, "  ");
}

// Describes a stage's model, where it comes from, and when it ends.
std::string stage_notes(const RunPlan& plan, const StagePlan& stage) {
  std::string text = fmt::format("\n{}: {}\n", stage.name, describe(stage.model));
  if (stage.growth) {
    if (&stage == &plan.stages.front())
      text += fmt::format("  starts from {}\n", plan.schedule.from);
    text += fmt::format("  grown by {}\n", stage.growth->asked());
    text +=
        fmt::format("  {}; {} in memory take {}\n",
                    stage.growth->exact() ? "the loss is kept" : "the loss changes",
                    stage.fit.steps > 0 ? "both models while the maps are fitted" : "both states",
                    bytes_text(stage.growth_memory_bytes));
  } else {
    text += plan.schedule.from.empty() ? "  starts from fresh weights\n"
                                       : fmt::format("  starts from {}\n", plan.schedule.from);
  }
  if (stage.fit.steps > 0)
    text += fmt::format(
        "  before it the growth's maps are fitted in {}: {} tokens, {} FLOPs ({:.1f}% of all)\n",
        counted(stage.fit.steps, "step"), count_text(stage.fit.tokens),
        short_count(stage.fit.flops), 100 * stage.fit.flops / plan.flops);
  if (arch::has_tied_cores(stage.model))
    text += fmt::format("  a pass runs {}: the core of {} runs {} times\n",
                        counted(arch::executed_layers(stage.model), "layer"), stage.model.core,
                        stage.model.passes);
  text += selection_notes(plan, stage);
  text += policy_notes(stage);
  text += fmt::format("  {:.0f}% of the FLOPs; {} parameters without embeddings",
                      100 * stage.flops / plan.flops, count_text(stage.params.non_embedding));
  if (const double optimizer = optimizer_flops(plan, stage); optimizer > 0)
    text += fmt::format("; of its FLOPs {:.2g}% are {}", 100 * optimizer / stage.flops,
                        policy_step_flops(stage) > 0 ? "the products of adapters"
                                                     : "Muon's Newton-Schulz iterations");
  if (stage.until_loss)
    text += fmt::format("; ends sooner at a validation loss of {}", *stage.until_loss);
  if (stage.until_seconds > 0)
    text += fmt::format("; ends sooner, decayed, after {} of training steps",
                        short_seconds(stage.until_seconds));
  if (stage.until_slope)
    text += fmt::format("; ends sooner where d ln loss / d ln tokens of its curve is {:.4g}",
                        *stage.until_slope);
  if (stage.rewarm_steps)
    text += fmt::format("; learning rate re-warms over {}", counted(stage.rewarm_steps, "step"));
  return text + "\n";
}

double tokens_per_param(const RunPlan& plan) {
  return static_cast<double>(plan.tokens) / static_cast<double>(plan.stages.back().params.total);
}

std::string rate_text(const RunPlan& plan) {
  const auto& lr = plan.schedule.lr;
  const std::string floor = lr.floor > 0 ? format_number(lr.floor) + " of the peak" : "0";
  const std::int64_t after = plan.total_steps - plan.warmup_steps;
  if (lr.curve == "constant")
    return fmt::format("constant: {} up, then the peak", counted(plan.warmup_steps, "step"));
  if (lr.curve != "wsd")
    return fmt::format("{}: {} up, {} down to {}", lr.curve, counted(plan.warmup_steps, "step"),
                       grouped(after), floor);
  return fmt::format("wsd: {} up, {} at the peak, {} down to {}",
                     counted(plan.warmup_steps, "step"),
                     grouped(std::max<std::int64_t>(0, after - plan.decay_steps)),
                     grouped(plan.decay_steps), floor);
}

std::string every_text(const Every& every) {
  if (every.steps > 0)
    return every.steps == 1 ? "every step" : "every " + counted(every.steps, "step");
  if (every.tokens > 0) return fmt::format("every {} tokens", count_text(every.tokens));
  return "at the end of each stage";
}

// Describes the run as a whole.
std::string run_notes(const RunPlan& plan) {
  const auto& batch = plan.schedule.batch;
  const std::int64_t context = plan.final_model.context;
  std::string text =
      fmt::format("\nlearning rate  {}\n{}a step         {} of {} tokens = {}", rate_text(plan),
                  parameterization_notes(plan), counted(batch.sequences, "sequence"),
                  grouped(context), grouped(batch.sequences * context));
  text += batch.size_warmup || batch.length_warmup ? " tokens, after the warm-up" : " tokens";
  if (batch.micro && batch.micro < batch.sequences)
    text += fmt::format(", {} at a time", counted(batch.micro, "sequence"));
  text += "\n";
  text += fmt::format("validation     {}\ncheckpoints    {}\n", every_text(plan.evaluate_every),
                      plan.checkpoint_seconds > 0
                          ? "every " + short_seconds(plan.checkpoint_seconds) + " of training"
                          : every_text(plan.checkpoint_every));
  text += fmt::format("training text  {:.3g} tokens for each parameter of the final model",
                      tokens_per_param(plan));
  if (const auto times = epochs(plan)) text += fmt::format("; read {:.3g} times", *times);
  return text +
         "\n\nFLOPs are the matrix products of forward and backward, head and full attention "
         "included.\nMemory is an estimate for training: weights, gradients, moments and the "
         "activations of a\nmicro-batch.\n";
}

std::string scratch_notes(const RunPlan& plan, const std::vector<RunPlan>& scratch) {
  std::vector<std::vector<std::string>> rows = {
      {"steps", "tokens", "FLOPs", "the staged run costs"}};
  for (const RunPlan& run : scratch)
    rows.push_back({grouped(run.total_steps), count_text(run.tokens), short_count(run.flops),
                    fmt::format("{:.1f}% of it", 100 * plan.flops / run.flops)});
  return "\nthe same model from scratch, for comparison (stagedtrain train --scratch)\n" +
         text_table(rows, 0, "  ") +
         "  Equal lengths are not equal losses: `stagedtrain report` measures what staging "
         "saved.\n";
}

Json stage_json(const RunPlan& plan, const StagePlan& stage) {
  return {{"name", stage.name},
          {"model", to_json(stage.model)},
          {"executed_layers", arch::executed_layers(stage.model)},
          {"params", stage.params.total},
          {"non_embedding", stage.params.non_embedding},
          {"flops_per_token", arch::flops_per_token(stage.model)},
          {"expected_flops_per_token", expected_flops_per_token(stage).total},
          {"train_only", stage.train_only_new ? "new" : "all"},
          {"policy", policy_key(stage)},
          {"first_step", stage.first_step},
          {"steps", stage.steps},
          {"tokens", stage.tokens},
          {"flops", stage.flops},
          {"optimizer_flops", optimizer_flops(plan, stage)},
          {"peak_lr", stage.peak_lr},
          {"rewarm_steps", stage.rewarm_steps},
          {"until_loss", stage.until_loss ? Json(*stage.until_loss) : Json(nullptr)},
          {"until_slope", stage.until_slope ? Json(*stage.until_slope) : Json(nullptr)},
          {"until_seconds", stage.until_seconds > 0 ? Json(stage.until_seconds) : Json(nullptr)},
          {"predicted_loss", stage.predicted_loss ? Json(*stage.predicted_loss) : Json(nullptr)},
          {"memory_bytes", stage.memory_bytes},
          {"growth_memory_bytes", stage.growth_memory_bytes},
          {"checkpoint_bytes", stage.checkpoint_bytes},
          {"fit_steps", stage.fit.steps},
          {"fit_tokens", stage.fit.tokens},
          {"fit_flops", stage.fit.flops},
          {"selection_passes", stage.selection.passes},
          {"selection_flops", stage.selection.flops},
          {"sensitivity_flops", stage.start.total},
          {"grow", stage.growth ? stage.growth->operators() : ""},
          {"exact", stage.growth ? Json(stage.growth->exact()) : Json(nullptr)}};
}

// Returns the keys, with the model's values, in which a model differs from another one.
Tree difference(const arch::ModelConfig& model, const arch::ModelConfig& other) {
  Tree keys = write_fields(model);
  const Tree others = write_fields(other);
  for (const TreeEntry& entry : others.entries)
    if (keys.find(entry.key)->text == entry.value.text) keys.erase(entry.key);
  return keys;
}

// Writes a struct's fields into a JSON object, with numbers and booleans as such.
struct JsonWriter {
  Json json = Json::object();
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo&) {
    json[key] = value;
  }
};

}  // namespace

std::optional<double> epochs(const RunPlan& plan) {
  double sum = 0;
  for (const StagePlan& stage : plan.stages) {
    const std::optional<double> epoch = epoch_tokens(plan.facts, stage.model.context);
    if (!epoch) return {};
    sum += static_cast<double>(stage.tokens + stage.fit.tokens) / *epoch;
  }
  return sum;
}

std::string to_text(const RunPlan& plan, const std::vector<RunPlan>& scratch,
                    const std::string& sections, const std::vector<std::string>& warnings) {
  std::string text = stage_table(plan);
  for (const StagePlan& stage : plan.stages) text += stage_notes(plan, stage);
  text += run_notes(plan) + sections;
  if (!scratch.empty()) text += scratch_notes(plan, scratch);
  if (!plan.chosen.empty()) text += "\nchosen by the planner\n";
  for (const std::string& choice : plan.chosen)
    text += "  " + stagedtrain::wrapped(choice, 96, "  ");
  for (const std::string& warning : plan.warnings) text += warning_text(warning);
  for (const std::string& warning : warnings) text += warning_text(warning);
  return text;
}

Json to_json(const arch::ModelConfig& model) {
  arch::ModelConfig copy = model;
  JsonWriter writer;
  copy.fields(writer);
  return writer.json;
}

Json to_json(const RunPlan& plan, const std::vector<RunPlan>& scratch) {
  Json json = {{"role", role_name(plan.role)},
               {"final_model", to_json(plan.final_model)},
               {"total_steps", plan.total_steps},
               {"tokens", plan.tokens},
               {"flops", plan.flops},
               {"tokens_per_parameter", tokens_per_param(plan)},
               {"curve", plan.schedule.lr.curve},
               {"warmup_steps", plan.warmup_steps},
               {"decay_steps", plan.decay_steps},
               {"evaluate_every", plan.evaluate_every.steps},
               {"evaluate_every_tokens", plan.evaluate_every.tokens},
               {"checkpoint_every", plan.checkpoint_every.steps},
               {"checkpoint_every_tokens", plan.checkpoint_every.tokens},
               {"checkpoint_seconds", plan.checkpoint_seconds},
               {"decayed", plan.decayed},
               {"epochs", epochs(plan) ? Json(*epochs(plan)) : Json(nullptr)}};
  json["stages"] = Json::array();
  for (const StagePlan& stage : plan.stages) json["stages"].push_back(stage_json(plan, stage));
  json["scratch"] = Json::array();
  for (const RunPlan& run : scratch)
    json["scratch"].push_back({{"steps", run.total_steps},
                               {"tokens", run.tokens},
                               {"flops", run.flops},
                               {"staged_share", plan.flops / run.flops}});
  json["chosen"] = plan.chosen;
  json["warnings"] = plan.warnings;
  return json;
}

std::string resolved_yaml(const RunPlan& plan) {
  schedule::Schedule complete = plan.schedule;
  complete.model = plan.final_model;
  if (complete.batch.micro == 0) complete.batch.micro = complete.batch.sequences;
  // The first stage must not inherit sizes that were derived for the final model, as if they had
  // been written.
  if (complete.stages[0].model.kind == Tree::Kind::map)
    complete.stages[0].model = difference(plan.stages[0].model, plan.final_model);
  return schedule::dump(complete);
}

}  // namespace stagedtrain::plan
