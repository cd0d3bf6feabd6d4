// Lines of run.jsonl.
#include "train/event_log.h"

#include <sys/stat.h>

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

EventLog::EventLog(Path file) : file_(std::move(file)) {}

void EventLog::open() {
  const bool cut = ends_in_mid_line(file_);
  out_ = std::make_shared<OutputFile>(file_, OutputFile::Mode::append);
  if (cut) out_->append("\n");
}

bool EventLog::is_in_place() const {
  struct stat named {
  }, held{};
  return ::stat(file_.c_str(), &named) == 0 && ::fstat(out_->descriptor(), &held) == 0 &&
         named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

void EventLog::write(const Json& event) {
  const std::scoped_lock lock(mutex_);
  const std::string line = json_text(event, -1) + "\n";
  if (!out_) {
    open();
  } else if (!is_in_place()) {
    open();
    out_->append(start_);
  }
  if (event.contains("event") && event["event"] == "start") start_ = line;
  out_->append(line);
}

void EventLog::sync() {
  std::shared_ptr<OutputFile> out;
  {
    const std::scoped_lock lock(mutex_);  // others may write while the disk is busy
    out = out_;
  }
  if (out) out->sync();
}

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

Json process_of(const Json& start) {
  Json process = Json::object();
  for (const char* key : {"version", "time", "device", "kernels", "threads"})
    process[key] = start.at(key);
  return process;
}

}  // namespace stagedtrain::train
