// Collects the numbers that a plan's page draws.
#include "plan_report/plan_picture.h"

#include <algorithm>
#include <cmath>

#include "text/text.h"

namespace stagedtrain::report {
namespace {

std::string model_name(const arch::ModelConfig& model, const plan::PlanningLaw& law) {
  const std::string name = fmt::format("{} x {}", model.layers, model.width);
  return law.by_context.empty() ? name : fmt::format("{}, context {}", name, model.context);
}

scaling::Size size_of(const arch::ModelConfig& model, const plan::PlanningLaw& law) {
  return {model_name(model, law), arch::flops_per_token(model),
          plan::curve_at(law, law.parameters(arch::count_params(model)), model.context)};
}

void add_sizes(const plan::RunPlan& plan, const plan::PlanningLaw& law, PlanPicture& picture) {
  std::vector<plan::Candidate> sizes;
  for (const plan::Candidate& candidate : plan::candidates(plan.final_model, law)) {
    const scaling::Size size = size_of(candidate.model, law);
    if (!size.curve) continue;
    sizes.push_back(candidate);
    picture.sizes.push_back(size);
  }
  picture.pairs = scaling::pairs_of(picture.sizes, [&](std::size_t a, std::size_t b) {
    return plan::may_grow(sizes[a], sizes[b]);
  });
}

double lost_tokens(const plan::StagePlan& stage) {
  if (!stage.growth) return 0;
  const double steps = static_cast<double>(std::min(stage.rewarm_steps, stage.steps)) / 2;
  return steps * static_cast<double>(stage.tokens) / static_cast<double>(stage.steps);
}

void add_path(const plan::RunPlan& plan, const plan::PlanningLaw& law, const plan::Optimum* optimum,
              PlanPicture& picture) {
  double cost = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const plan::StagePlan& stage = plan.stages[i];
    PathStage step{.name = stage.name,
                   .size = size_of(stage.model, law),
                   .cost_before = cost,
                   .cost = stage.flops};
    if (!step.size.curve)
      throw usage_error("the law {} has no curve of stage {}", law.name, stage.name);
    if (optimum) {
      step.begin = optimum->stages[i].resume_tokens;
    } else if (i > 0) {
      const PathStage& before = picture.path.back();
      step.begin = step.size.curve->tokens(before.size.curve->loss(before.end));
    }
    step.end = step.begin + static_cast<double>(stage.tokens) - lost_tokens(stage);
    cost += stage.flops;
    picture.path.push_back(std::move(step));
  }
  picture.lost_tokens = lost_tokens(plan.stages.back());
}

void add_jobs(const plan::FullPlan& full, PlanPicture& picture) {
  picture.in_seconds = full.cost.timed;
  picture.time_source = full.cost.time_source;
  picture.most_memory = full.plan.schedule.machine.memory;
  double at = 0;
  for (std::size_t i = 0; i < full.plan.stages.size(); ++i) {
    const plan::StagePlan& stage = full.plan.stages[i];
    const plan::StageCost& cost = full.cost.stages[i];
    PictureJob job{.name = stage.name,
                   .begin = at,
                   .length = picture.in_seconds ? cost.costs.seconds() : stage.flops,
                   .memory = cost.measured_bytes.value_or(cost.memory.total()),
                   .growth_memory = cost.growth_bytes,
                   .measured = cost.measured_bytes.has_value()};
    at += job.length;
    picture.jobs.push_back(job);
  }
}

}  // namespace

PlanPicture picture_of(const plan::FullPlan& full, const plan::PlanningLaw& law,
                       const plan::Optimum* optimum) {
  const plan::RunPlan& plan = full.plan;
  PlanPicture picture;
  picture.title = plan.schedule.name;
  picture.law = law.name;
  add_path(plan, law, optimum, picture);
  add_sizes(plan, law, picture);
  const PathStage& last = picture.path.back();
  picture.end_loss = optimum ? optimum->end_loss : last.size.curve->loss(last.end);
  const plan::Outlook& outlook = full.outlook;
  picture.decayed_loss = outlook.forecasts.empty() ? picture.end_loss
                                                   : outlook.forecasts[0].stages.back().end.loss;
  const double tokens = last.size.curve->tokens(picture.end_loss);
  plan::refuse_nonsense(law, last.size, plan.final_model, tokens);
  const double decay =
      static_cast<double>(plan.decay_steps) / static_cast<double>(plan.total_steps);
  picture.run = {.tokens = tokens, .decay = decay * tokens};
  picture.assumption = scaling::assumption_name(optimum ? optimum->options.transfer.assumption
                                                        : scaling::Assumption::loss_state);
  if (optimum && optimum->endless) picture.endless = *optimum->endless;
  picture.warnings = optimum ? optimum->warnings : full.outlook.warnings;
  add_jobs(full, picture);
  return picture;
}

}  // namespace stagedtrain::report
