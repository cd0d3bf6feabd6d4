// Collecting what a plan's page draws.
#include "report/plan_picture.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace stagedtrain::report {
namespace {

std::string model_name(const arch::ModelConfig& model) {
  return fmt::format("{} x {}", model.layers, model.width);
}

law::Size size_of(const arch::ModelConfig& model, const plan::PlanningLaw& law) {
  return {model_name(model), arch::flops_per_token(model),
          law.curve(law.parameters(arch::count_params(model)))};
}

void add_sizes(const plan::RunPlan& plan, const plan::PlanningLaw& law, PlanPicture& picture) {
  std::vector<arch::ModelConfig> models;
  for (const plan::Candidate& candidate : plan::candidates(plan.final_model, law)) {
    const law::Size size = size_of(candidate.model, law);
    if (!size.curve) continue;
    models.push_back(candidate.model);
    picture.sizes.push_back(size);
  }
  picture.connected = [models](std::size_t a, std::size_t b) {
    return plan::connected(models[a], models[b]);
  };
}

void add_path(const plan::RunPlan& plan, const plan::PlanningLaw& law, const plan::Optimum* optimum,
              PlanPicture& picture) {
  double cost = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const plan::StagePlan& stage = plan.stages[i];
    PathStage step{.name = stage.name, .size = size_of(stage.model, law), .cost_before = cost};
    if (!step.size.curve)
      throw usage_error("the law {} has no curve of stage {}", law.name, stage.name);
    if (optimum) {
      step.begin = optimum->stages[i].resume_tokens;
    } else if (i > 0) {
      const PathStage& before = picture.path.back();
      step.begin = step.size.curve->tokens(before.size.curve->loss(before.end));
    }
    step.end = step.begin + static_cast<double>(stage.tokens);
    cost += stage.flops;
    picture.path.push_back(std::move(step));
  }
}

void add_jobs(const plan::RunPlan& plan, const plan::Measurements& measurements,
              PlanPicture& picture) {
  std::vector<const plan::Measurement*> found;
  for (const plan::StagePlan& stage : plan.stages)
    found.push_back(measurements.find(plan::measurement_key(plan, stage)));
  picture.in_seconds = std::ranges::all_of(found, [](const auto* m) { return m != nullptr; });
  double at = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const plan::StagePlan& stage = plan.stages[i];
    PictureJob job{.name = stage.name,
                   .begin = at,
                   .length = stage.flops,
                   .memory = static_cast<double>(stage.memory_bytes),
                   .growth_memory = static_cast<double>(stage.growth_memory_bytes)};
    if (picture.in_seconds)
      job.length = static_cast<double>(stage.tokens) * found[i]->seconds_per_token;
    if (found[i] && std::isfinite(found[i]->peak_bytes)) {
      job.memory = found[i]->peak_bytes;
      job.measured = true;
    }
    at += job.length;
    picture.jobs.push_back(job);
  }
}

}  // namespace

PlanPicture picture_of(const plan::RunPlan& plan, const plan::PlanningLaw& law,
                       const plan::Measurements& measurements, const plan::Optimum* optimum) {
  PlanPicture picture;
  picture.title = plan.schedule.name;
  picture.law = law.name;
  add_path(plan, law, optimum, picture);
  add_sizes(plan, law, picture);
  const PathStage& last = picture.path.back();
  picture.end_loss = optimum ? optimum->end_loss : last.size.curve->loss(last.end);
  const double tokens = last.size.curve->tokens(picture.end_loss);
  plan::refuse_nonsense(law, last.size, plan.final_model, tokens);
  const double decay =
      static_cast<double>(plan.decay_steps) / static_cast<double>(plan.total_steps);
  picture.run = {.tokens = tokens, .decay = decay * tokens};
  picture.most_stages = std::max<std::size_t>(2, picture.path.size());
  picture.assumption = law::assumption_name(optimum ? optimum->options.transfer.assumption
                                                    : law::Assumption::loss_state);
  add_jobs(plan, measurements, picture);
  return picture;
}

}  // namespace stagedtrain::report
