// Lines of run.jsonl.
#include "train/event_log.h"

#include "arch/cost.h"
#include "plan/measurements.h"

namespace stagedtrain::train {
namespace {

bool ends_in_mid_line(const Path& file) {
  std::error_code none;
  if (!std::filesystem::exists(file, none) || std::filesystem::file_size(file, none) == 0)
    return false;
  return MappedFile(file).bytes().back() != std::byte{'\n'};
}

Json stage_event(const plan::StagePlan& stage) {
  return {{"name", stage.name},
          {"grow", stage.growth ? stage.growth->operators() : ""},
          {"model", plan::to_json(stage.model)},
          {"params", stage.params.total},
          {"non_embedding", stage.params.non_embedding},
          {"flops_per_token", arch::flops_per_token(stage.model)},
          {"steps", stage.steps},
          {"predicted_loss", stage.predicted_loss ? Json(*stage.predicted_loss) : Json(nullptr)}};
}

}  // namespace

EventLog::EventLog(const Path& file) : out_(file, OutputFile::Mode::append) {
  if (ends_in_mid_line(file)) out_.append("\n");
}

void EventLog::write(const Json& event) { out_.append(json_text(event, -1) + "\n"); }

Json place_event(const char* kind, const state::Progress& p) {
  return {{"event", kind},      {"stage", p.stage}, {"step", p.step},
          {"tokens", p.tokens}, {"flops", p.flops}, {"seconds", p.seconds}};
}

Json start_event(const plan::RunPlan& plan, const Machine& machine) {
  const schedule::Schedule& s = plan.schedule;
  Json event = {{"event", "start"},
                {"version", STAGEDTRAIN_VERSION},
                {"time", plan::time_now()},
                {"schedule", s.name},
                {"role", plan::role_name(plan.role)},
                {"device", machine.device},
                {"kernels", machine.kernels},
                {"threads", machine.threads},
                {"seed", s.seed},
                {"curve", s.lr.curve},
                {"total_steps", plan.total_steps},
                {"final_model", plan::to_json(plan.final_model)},
                {"data", {{"train", s.data.train}, {"validation", s.data.validation}}}};
  event["predicted_by"] = plan.predicted_by;
  event["chosen"] = plan.chosen;
  event["stages"] = Json::array();
  for (const plan::StagePlan& stage : plan.stages) event["stages"].push_back(stage_event(stage));
  return event;
}

}  // namespace stagedtrain::train
