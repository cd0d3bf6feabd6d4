// Reads the log of a run, and repairs it from checkpoints.
#include "train/run_outcome.h"

#include <algorithm>
#include <cmath>

#include "optim/gradients.h"
#include "plan/decay.h"
#include "runfolder/checkpoint_match.h"
#include "scoring/shared_evaluation.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

const runlog::Evaluation* end_of(const std::optional<runlog::Run>& log, const std::string& stage) {
  if (!log) return nullptr;
  const auto found = std::ranges::find(log->stage_ends, stage, &runlog::Evaluation::stage);
  return found == log->stage_ends.end() ? nullptr : &*found;
}

// Returns where a stage ended, from its checkpoint, or nothing if the file is missing, damaged or
// of another run.
std::optional<state::Progress> saved_end(const plan::RunPlan& plan, const RunFolder& folder,
                                         const std::string& stage) {
  const Path file = folder.stage_file(stage);
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return {};
  try {
    const state::CheckpointReader reader(file);
    if (mismatches(reader.header(), plan).empty()) return reader.header().progress;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
  }
  return {};
}

std::size_t stages_ended(const state::Progress& at) {
  return static_cast<std::size_t>(at.stage_index) + (at.stage_done ? 1 : 0);
}

bool run_has_ended(const plan::RunPlan& plan, const state::Progress& at) {
  return stages_ended(at) == plan.stages.size();
}

eval::EvalReport measure_again(const RunContext& run, DeviceState& live) {
  const arch::ModelConfig& model = live.header.model;
  const data::EvaluationSet set(run.data.validation, model.context, model.vocab,
                                run.plan.schedule.evaluate.tokens);
  return eval::evaluate(*live.model, set, rows_at_once(run.plan.schedule.batch));
}

Json stage_end_event(const RunContext& run, const state::Progress& at) {
  Json event = place_event("stage_end", at);
  event.update({{"loss", nullptr}, {"stderr", nullptr}, {"process", run.process}});
  return event;
}

class Repair {
 public:
  Repair(RunContext& run, DeviceState& live, const std::optional<runlog::Run>& log)
      : run_(run), live_(live), log_(log) {}

  std::vector<Json> missing() {
    const state::Progress& at = live_.header.progress;
    for (std::size_t i = 0; i < static_cast<std::size_t>(at.stage_index); ++i)
      add_stage_end(run_.plan.stages[i].name);
    if (!at.stage_done) return events_;
    const bool last = run_has_ended(run_.plan, at);
    const bool no_stage_end = !end_of(log_, at.stage), no_end = last && !(log_ && log_->end);
    if (!no_stage_end && !no_end) return events_;
    const eval::EvalReport report = measure_again(run_, live_);
    if (no_stage_end) {
      events_.push_back(evaluation_event("stage_end", at, report));
      events_.back()["process"] = run_.process;
    }
    if (no_end) events_.push_back(end_event(run_, at, report));
    return events_;
  }

 private:
  void add_stage_end(const std::string& stage) {
    if (end_of(log_, stage)) return;
    if (const auto saved = saved_end(run_.plan, run_.folder, stage))
      events_.push_back(stage_end_event(run_, *saved));
  }

  RunContext& run_;
  DeviceState& live_;
  const std::optional<runlog::Run>& log_;
  std::vector<Json> events_;
};

StageResult logged_result(const runlog::Evaluation& end, const Path& file) {
  StageResult result{.name = end.stage, .loss = end.loss, .standard_error = end.se};
  const auto whole = [](double value) {
    return std::isfinite(value) ? std::llround(value) : std::int64_t{0};
  };
  result.progress.stage = end.stage;
  result.progress.step = whole(end.at.step);
  result.progress.tokens = whole(end.at.tokens);
  result.progress.flops = end.at.flops;
  result.progress.seconds = end.at.seconds;
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return result;
  result.checkpoint = file;
  try {
    result.progress = state::CheckpointReader(file).header().progress;
  } catch (const Error& error) {  // damaged since then, so the log's numbers are used
    if (error.kind() != ErrorKind::input) throw;
  }
  return result;
}

}  // namespace

std::optional<runlog::Run> read_own_log(const RunFolder& folder,
                                        std::vector<std::string>& messages) {
  std::error_code none;
  if (!std::filesystem::exists(folder.log(), none)) return {};
  try {
    return runlog::read_log(folder.log(), folder.path().string());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    messages.push_back(fmt::format("warning: {}; set aside as {}", error.what(),
                                   folder.set_aside(folder.log(), "damaged").filename().string()));
    return {};
  }
}

void repair_log(RunContext& run, DeviceState& live, const std::optional<runlog::Run>& log,
                const Json& start, bool log_started) {
  const std::vector<Json> missing = Repair(run, live, log).missing();
  if (missing.empty()) return;
  run.line.print(
      "warning: run.jsonl does not say how every stage ended; this is added from the checkpoints "
      "and another evaluation");
  if (!log && !log_started) run.log.write(start);
  // This also terminates a line that a crash has cut.
  if (!log_started) run.log.write(place_event("resume", live.header.progress));
  for (const Json& event : missing) run.log.write(event);
  run.log.sync();
}

// Also compares the logged learning rates of earlier steps with the curve: a run that was cut short
// made only its last steps at a low rate, and all others at the peak.
static bool had_decayed(const RunContext& run, const state::Progress& at) {
  const plan::RunPlan& plan = run.plan;
  if (!plan::ends_decayed(plan, at.step, at.learning_rate)) return false;
  std::vector<std::string> messages;
  const std::optional<runlog::Run> log = read_own_log(run.folder, messages);
  if (!log) return true;
  return std::ranges::all_of(log->steps, [&](const runlog::StepPoint& point) {
    const auto stage = std::ranges::find(plan.stages, point.stage, &plan::StagePlan::name);
    if (stage == plan.stages.end() || !(point.at.step >= 1)) return true;
    return plan::fits_decay(plan, *stage, std::llround(point.at.step) - 1, point.lr, at.step);
  });
}

Json end_event(const RunContext& run, const state::Progress& at, const eval::EvalReport& report) {
  Json event = place_event("end", at);
  event.update({{"loss", report.loss},
                {"stderr", report.standard_error},
                {"bits_per_byte", report.bits_per_byte(run.data.text_bytes_per_token)},
                {"lr", at.learning_rate},
                {"decayed", had_decayed(run, at)},
                {"process", run.process}});
  return event;
}

RunResult outcome(const plan::RunPlan& plan, const RunFolder& folder, const state::Progress& at) {
  RunResult result;
  std::vector<std::string> messages;  // ignored: by now the log is this process's own
  const std::optional<runlog::Run> log = read_own_log(folder, messages);
  for (std::size_t i = 0; i < stages_ended(at); ++i) {
    const std::string& stage = plan.stages[i].name;
    const Path file = folder.stage_file(stage);
    if (const runlog::Evaluation* end = end_of(log, stage)) {
      result.stages.push_back(logged_result(*end, file));
    } else if (const auto saved = saved_end(plan, folder, stage)) {
      result.stages.push_back({stage, *saved, runlog::kUnknown, runlog::kUnknown, file});
    } else {
      result.stages.push_back(
          {.name = stage, .loss = runlog::kUnknown, .standard_error = runlog::kUnknown});
    }
  }
  result.done = run_has_ended(plan, at);
  if (result.done && log && log->end) result.bits_per_byte = log->end->bits_per_byte;
  return result;
}

}  // namespace stagedtrain::train
