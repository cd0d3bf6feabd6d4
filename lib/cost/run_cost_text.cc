// Prints the costs of a plan as tables, and as JSON.
#include <algorithm>

#include "cost/run_cost.h"
#include "plan/stage_policy.h"
#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string time_text(double seconds) { return seconds > 0 ? short_seconds(seconds) : "?"; }

std::vector<std::string> cost_row(const std::string& name, const Costs& c, double price) {
  std::vector<std::string> row = {name,
                                  short_count(c.flops),
                                  short_count(c.causal_flops),
                                  short_count(c.parameters),
                                  short_count(c.non_embedding),
                                  time_text(c.training_seconds),
                                  time_text(c.evaluation_seconds),
                                  time_text(c.saving_seconds)};
  if (price > 0) row.push_back(c.money > 0 ? fmt::format("{:.2f}", c.money) : "?");
  return row;
}

std::string costs_text(const RunPlan& plan, const RunCost& cost) {
  Rows rows = {
      {"costs", "FLOPs", "causal", "6 N D", "non-emb.", "training", "evaluating", "checkpoints"}};
  if (cost.price_per_hour > 0) rows[0].push_back("money");
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    rows.push_back(cost_row(plan.stages[i].name, cost.stages[i].costs, cost.price_per_hour));
  Costs total = cost.total;
  if (!cost.timed)
    total.training_seconds = total.evaluation_seconds = total.saving_seconds = total.money = 0;
  rows.push_back(cost_row("total", total, cost.price_per_hour));
  std::string text = text_table(rows, 1, "");
  text += fmt::format("  time: {}", cost.time_source);
  if (cost.timed) text += fmt::format("; {} in all", short_seconds(total.seconds()));
  return text +
         "\n"
         "  causal: attention to earlier tokens only; 6 N D: 6 x parameters x tokens; non-emb.: "
         "the\n"
         "  same without embeddings. Savings differ between these four ways of counting.\n";
}

std::string memory_text(const RunPlan& plan, const RunCost& cost) {
  const auto bytes = [](double amount) { return amount > 0 ? short_bytes(amount) : ""; };
  Rows rows = {{"memory", "weights", "gradients", "moments", "activations", "logits", "peak",
                "at growth", "checkpoint"}};
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    const StageCost& c = cost.stages[i];
    rows.push_back(
        {stage.name, bytes(c.memory.weights), bytes(c.memory.gradients + c.memory.sums),
         bytes(c.memory.moments), bytes(c.memory.activations), bytes(c.memory.logits),
         bytes(c.measured_bytes.value_or(c.memory.total())) + (c.measured_bytes ? " measured" : ""),
         bytes(c.growth_bytes), bytes(static_cast<double>(stage.checkpoint_bytes))});
  }
  const bool sums = std::ranges::any_of(
      cost.stages, [](const StageCost& stage) { return stage.memory.sums > 0; });
  return text_table(rows, 1, "") + (sums ? "  gradients: include the partial sums that a CPU keeps "
                                           "to sum passes in a fixed order\n"
                                         : "");
}

// Compares the ways of recomputing for the largest stage: memory against time.
std::string recompute_text(const RunPlan& plan) {
  const auto largest = std::ranges::max_element(
      plan.stages, {}, [](const StagePlan& stage) { return stage.params.total; });
  const auto kept = [&](schedule::Recompute r) {
    return short_bytes(activation_memory(plan.schedule, executed_model(*largest), r));
  };
  using schedule::Recompute;
  const double again = recomputed_flops_per_token(largest->model, Recompute::blocks) /
                       arch::flops_per_token(largest->model);
  return fmt::format(
      "  batch.recompute is {}; activations of {}: none {},\n"
      "  norms {} (about 1% more time), blocks {} (up to {:.0f}% more time)\n",
      enum_name(plan.schedule.batch.recompute), largest->name, kept(Recompute::none),
      kept(Recompute::norms), kept(Recompute::blocks), 100 * again);
}

std::string warmup_text(const RunPlan& plan, const RunCost& cost) {
  std::string text;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const double lost = cost.stages[i].lost_steps;
    if (lost == 0) continue;
    text += fmt::format("  {}: {} steps of {} count like {} at the peak rate\n",
                        plan.stages[i].name, grouped_number(2 * lost),
                        i == 0 ? "warm-up" : "re-warm-up", format_number(lost));
  }
  return text;
}

Json costs_json(const Costs& c, bool timed) {
  const auto known = [&](double value) { return timed ? Json(value) : Json(nullptr); };
  return {{"flops", c.flops},
          {"causal_flops", c.causal_flops},
          {"parameter_flops", c.parameters},
          {"non_embedding_flops", c.non_embedding},
          {"training_seconds", known(c.training_seconds)},
          {"evaluation_seconds", known(c.evaluation_seconds)},
          {"saving_seconds", known(c.saving_seconds)},
          {"seconds", known(c.seconds())},
          {"money", known(c.money)}};
}

// Returns, for each way of recomputing, the bytes of activations and the additional FLOPs of a
// token.
Json recompute_json(const RunPlan& plan, const StagePlan& stage) {
  using schedule::Recompute;
  Json ways = Json::object();
  for (const Recompute way : {Recompute::none, Recompute::norms, Recompute::blocks})
    ways[enum_name(way)] = {
        {"activations", activation_memory(plan.schedule, executed_model(stage), way)},
        {"flops_per_token", recomputed_flops_per_token(stage.model, way)}};
  return ways;
}

Json memory_json(const RunPlan& plan, const StagePlan& stage, const StageCost& c) {
  const auto& batch = plan.schedule.batch;
  const std::int64_t micro = batch.micro ? batch.micro : batch.sequences;
  return {{"weights", c.memory.weights},
          {"gradients", c.memory.gradients},
          {"moments", c.memory.moments},
          {"sums", c.memory.sums},
          {"activations", c.memory.activations},
          {"logits", c.memory.logits},
          {"total", c.memory.total()},
          {"measured", c.measured_bytes ? Json(*c.measured_bytes) : Json(nullptr)},
          {"recompute", recompute_json(plan, stage)},
          {"literature_activations", activations_of_the_literature(stage.model, micro, false)},
          {"literature_activations_fused", activations_of_the_literature(stage.model, micro, true)},
          {"growth", c.growth_bytes},
          {"checkpoint", stage.checkpoint_bytes}};
}

}  // namespace

std::string to_text(const RunPlan& plan, const RunCost& cost) {
  return costs_text(plan, cost) + warmup_text(plan, cost) + "\n" + memory_text(plan, cost) +
         recompute_text(plan) + processes_text(plan, cost);
}

Json to_json(const RunPlan& plan, const RunCost& cost) {
  Json json = {{"time_source", cost.time_source},
               {"price_per_hour", cost.price_per_hour},
               {"total", costs_json(cost.total, cost.timed)}};
  json.update(processes_json(plan, cost));
  json["stages"] = Json::array();
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StageCost& c = cost.stages[i];
    Json stage = {{"name", plan.stages[i].name}};
    const bool timed = c.seconds_per_token > 0;
    stage.update(costs_json(c.costs, timed));
    stage["seconds_per_token"] = timed ? Json(c.seconds_per_token) : Json(nullptr);
    stage["seconds_per_token_alone"] = c.seconds_alone > 0 ? Json(c.seconds_alone) : Json(nullptr);
    stage.update(exchange_json(c, cost.processes));
    stage["measured"] = c.measured;
    stage["evaluations"] = c.evaluations;
    stage["checkpoints"] = c.checkpoints;
    stage["lost_warmup_steps"] = c.lost_steps;
    stage["memory_bytes"] = memory_json(plan, plan.stages[i], c);
    json["stages"].push_back(stage);
  }
  return json;
}

}  // namespace stagedtrain::plan
