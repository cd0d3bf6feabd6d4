// A plan as a table, as JSON and as a complete schedule.
#include <cmath>

#include "base/text.h"
#include "plan/run_plan.h"

namespace stagedtrain::plan {
namespace {

std::string growth_text(const StagePlan& stage) {
  return stage.growth ? stage.growth->operators : "fresh weights";
}

std::string model_text(const arch::ModelConfig& m) {
  return fmt::format("{} x {}, {} heads, ffn {}", m.layers, m.width, m.heads, m.ffn);
}

double tokens_per_param(const RunPlan& plan) {
  return static_cast<double>(plan.tokens) / static_cast<double>(plan.stages.back().params.total);
}

void add_scratch(const RunPlan& plan, const std::vector<RunPlan>& scratch, std::string& text) {
  text += "\nfrom scratch, for comparison (train --scratch), each fully decayed\n";
  for (const RunPlan& run : scratch)
    text += fmt::format("  {:>9} steps  {:>8} tokens  {:>8} FLOPs  staged costs {:.1f}% of it\n",
                        grouped(run.total_steps), short_count(static_cast<double>(run.tokens)),
                        short_count(run.flops), 100 * plan.flops / run.flops);
  text += "  what staging saves at equal loss only the runs can tell: `stagedtrain report` does\n";
}

Json stage_json(const StagePlan& stage) {
  return {{"name", stage.name},
          {"model", to_json(stage.model)},
          {"params", stage.params.total},
          {"non_embedding", stage.params.non_embedding},
          {"flops_per_token", arch::flops_per_token(stage.model)},
          {"first_step", stage.first_step},
          {"steps", stage.steps},
          {"tokens", stage.tokens},
          {"flops", stage.flops},
          {"peak_lr", stage.peak_lr},
          {"rewarm_steps", stage.rewarm_steps},
          {"until_loss", stage.until_loss ? Json(*stage.until_loss) : Json(nullptr)},
          {"memory_bytes", stage.memory_bytes},
          {"growth_memory_bytes", stage.growth_memory_bytes},
          {"checkpoint_bytes", stage.checkpoint_bytes},
          {"grow", stage.growth ? stage.growth->operators : ""},
          {"exact", stage.growth ? Json(stage.growth->exact) : Json(nullptr)}};
}

// Writes a struct's fields into a JSON object, numbers and truths as such.
struct JsonWriter {
  Json json = Json::object();
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo&) {
    json[key] = value;
  }
};

}  // namespace

std::string to_text(const RunPlan& plan, const std::vector<RunPlan>& scratch) {
  const std::string row = "{:<12} {:<32} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9} {:>10} {:>10}\n";
  std::string text = fmt::format(fmt::runtime(row), "stage", "model", "params", "FLOPs/tok",
                                 "steps", "tokens", "FLOPs", "peak lr", "memory", "checkpoint");
  for (const StagePlan& stage : plan.stages)
    text += fmt::format(fmt::runtime(row), stage.name, model_text(stage.model),
                        short_count(static_cast<double>(stage.params.total)),
                        short_count(arch::flops_per_token(stage.model)), grouped(stage.steps),
                        short_count(static_cast<double>(stage.tokens)), short_count(stage.flops),
                        format_number(stage.peak_lr),
                        short_bytes(static_cast<double>(stage.memory_bytes)),
                        short_bytes(static_cast<double>(stage.checkpoint_bytes)));
  text += fmt::format(fmt::runtime(row), "total", "", "", "", grouped(plan.total_steps),
                      short_count(static_cast<double>(plan.tokens)), short_count(plan.flops), "",
                      "", "");
  for (const StagePlan& stage : plan.stages) {
    text += fmt::format("\n{:<12} {}", stage.name, growth_text(stage));
    if (stage.growth)
      text += fmt::format(" ({}, {} during the growth)",
                          stage.growth->exact ? "the loss is kept" : "the loss changes",
                          short_bytes(static_cast<double>(stage.growth_memory_bytes)));
    if (stage.until_loss) text += fmt::format("; ends at validation loss {}", *stage.until_loss);
    if (stage.rewarm_steps)
      text += fmt::format("; learning rate rises again over {} steps", stage.rewarm_steps);
  }
  text += fmt::format(
      "\n\nlearning rate {}: warm-up {} steps, decay {} steps, of {}; {:.1f} tokens per "
      "parameter\n",
      plan.schedule.lr.curve, plan.warmup_steps, plan.decay_steps, grouped(plan.total_steps),
      tokens_per_param(plan));
  text +=
      "FLOPs: all matrix products of forward and backward, head and full attention included; "
      "memory is an estimate\n";
  if (!scratch.empty()) add_scratch(plan, scratch, text);
  for (const std::string& warning : plan.warnings) text += "warning: " + warning + "\n";
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
               {"evaluate_every", plan.evaluate_every},
               {"checkpoint_every", plan.checkpoint_every},
               {"decayed", plan.decayed}};
  json["stages"] = Json::array();
  for (const StagePlan& stage : plan.stages) json["stages"].push_back(stage_json(stage));
  json["scratch"] = Json::array();
  for (const RunPlan& run : scratch)
    json["scratch"].push_back({{"steps", run.total_steps},
                               {"tokens", run.tokens},
                               {"flops", run.flops},
                               {"staged_share", plan.flops / run.flops}});
  json["warnings"] = plan.warnings;
  return json;
}

std::string resolved_yaml(const RunPlan& plan) {
  schedule::Schedule complete = plan.schedule;
  complete.model = plan.final_model;
  if (complete.batch.micro == 0) complete.batch.micro = complete.batch.sequences;
  // Sizes that the final model derives must not pass for written ones in a smaller first stage.
  if (complete.stages[0].model.kind == Tree::Kind::map)
    complete.stages[0].model = write_fields(plan.stages[0].model);
  return schedule::dump(complete);
}

}  // namespace stagedtrain::plan
