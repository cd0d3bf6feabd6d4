// Finding where a run stands, and taking it from stage to stage.
#include "train/run.h"

#include <ATen/Parallel.h>

#include "base/parallel.h"
#include "base/signals.h"
#include "base/text.h"
#include "runlog/run_log.h"
#include "train/growing.h"

namespace stagedtrain::train {
namespace {

constexpr const char* kRerun = "run the same command again to go on";

std::size_t stage_index(const plan::RunPlan& plan, const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    if (plan.stages[i].name == name) return i;
    names.push_back(plan.stages[i].name);
  }
  throw usage_error("--stage: the schedule has no stage '{}'{}", name, suggestion(name, names));
}

// A state that has trained nothing in this run yet.
void begin(const plan::RunPlan& plan, LiveState& live) {
  live.header.progress.stage = plan.stages[0].name;
  live.header.seed = live.header.data.seed = static_cast<std::uint64_t>(plan.schedule.seed);
}

LiveState start_fresh(const plan::RunPlan& plan, const model::ModelOptions& options) {
  LiveState live =
      fresh_live(plan.stages[0].model, static_cast<std::uint64_t>(plan.schedule.seed), options);
  begin(plan, live);
  return live;
}

// The weights of another run's checkpoint, with zero moments, at the start of the curve and of the
// data; grown, if the first stage has a growth. What that run cost still counts.
LiveState start_from_weights(const plan::RunPlan& plan, const model::ModelOptions& options) {
  const Path path = plan.schedule.from;
  LiveState live = load_live(path, options);
  const std::string identity = state::CheckpointReader(path).identity();
  state::StateHeader& header = live.header;
  if (header.progress.step < header.mask.start + header.mask.steps)
    throw usage_error("from: {}: the mask of its last growth rises until step {}; this is step {}",
                      path.string(), header.mask.start + header.mask.steps, header.progress.step)
        .with_hint("take a checkpoint of a later step");
  if (header.mask.steps > 0) end_mask(live);
  header.lineage.push_back(
      {path.string(), identity, "weights alone", header.progress.step, header.model});
  const state::Progress before = header.progress;
  header.progress = {.tokens = before.tokens, .flops = before.flops, .seconds = before.seconds};
  header.data = {};
  std::fill(header.histories.begin(), header.histories.end(), state::TensorHistory{});
  live.model->params().set_histories(header.histories);
  live.model->params().exp_avg().zero_();
  live.model->params().exp_avg_sq().zero_();
  if (const auto& growth = plan.stages[0].growth)
    live = grow_live(*growth, std::move(live), path.string(), identity);
  begin(plan, live);
  return live;
}

// Goes on from the furthest checkpoint of the folder that verifies; nothing if it has none.
std::optional<LiveState> resume(const RunFolder& folder, const model::ModelOptions& options,
                                RunContext& run) {
  std::vector<std::string> bad;
  const std::vector<Path> files = folder.candidates(bad);
  for (const Path& file : files) {
    stop_point("looking for a checkpoint to go on from");
    try {
      LiveState live = load_live(file, options);
      for (const std::string& reason : bad) run.line.say("skipped: " + reason);
      run.last_saved = file;
      return live;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      bad.push_back(error.what());
    }
  }
  if (bad.empty()) return {};
  throw input_error("{}: no checkpoint is good: {}", folder.path().string(), join(bad, "; "))
      .with_hint("choose another --out, or remove the folder to start again");
}

void check_same_data(const LiveState& live, const RunData& data) {
  const std::string& before = live.header.run.data_fingerprint;
  if (!before.empty() && before != data.fingerprint)
    throw input_error(
        "{}: these are not the tokens that the run was trained on (fingerprint {}, "
        "expected {})",
        data.train->path().string(), data.fingerprint, before)
        .with_hint("restore the file, or start in another --out");
}

// The length of the curve: what was trained up to the present stage, and what is planned from it
// on. Stages that ended early, branches of shorter runs and plans made anew all come out right.
std::int64_t total_steps(const plan::RunPlan& plan, const state::Progress& at) {
  std::int64_t steps = at.stage_done ? at.step : at.step - at.stage_step;
  const std::int64_t first = at.stage_index + (at.stage_done ? 1 : 0);
  for (auto i = static_cast<std::size_t>(first); i < plan.stages.size(); ++i)
    steps += plan.stages[i].steps;
  return steps;
}

LiveState take_up(const RunRequest& request, const model::ModelOptions& options, RunContext& run) {
  const plan::RunPlan& plan = run.plan;
  std::optional<LiveState> live = resume(run.folder, options, run);
  if (!live && request.branch_of) live = load_live(*request.branch_of, options);
  if (live) {
    check_same_data(*live, run.data);
    const state::Progress& at = live->header.progress;
    run.line.say(
        fmt::format("going on from {} (stage {}, step {} of {}{})",
                    run.last_saved.empty() ? request.branch_of->string() : run.last_saved.string(),
                    at.stage, grouped(at.stage_step),
                    grouped(plan.stages[static_cast<std::size_t>(at.stage_index)].steps),
                    at.stage_done ? ", done" : ""));
  } else {
    live =
        plan.schedule.from.empty() ? start_fresh(plan, options) : start_from_weights(plan, options);
  }
  live->header.run = run.data.info(plan);
  live->header.progress.total_steps = total_steps(plan, live->header.progress);
  return std::move(*live);
}

// Refuses a stage whose source has not ended. Returns whether there is anything to do.
bool may_run(const plan::RunPlan& plan, std::size_t wanted, const state::Progress& at) {
  const auto current = static_cast<std::size_t>(at.stage_index);
  if (current > wanted || (current == wanted && at.stage_done)) return false;
  if (current == wanted || (current + 1 == wanted && at.stage_done)) return true;
  throw usage_error("--stage {}: it grows out of '{}', which has not ended here",
                    plan.stages[wanted].name, plan.stages[wanted - 1].name)
      .with_hint(fmt::format("run --stage {} first", plan.stages[current].name));
}

void end_run(RunContext& run, const LiveState& live, const eval::EvalReport& report,
             std::int64_t planned_end) {
  const state::Progress& at = live.header.progress;
  Json event = place_event("end", at);
  event.update({{"loss", report.loss},
                {"stderr", report.standard_error},
                {"bits_per_byte", report.bits_per_byte(run.data.text_bytes_per_token)},
                {"lr", at.learning_rate},
                {"decayed", run.plan.decayed && at.step >= planned_end}});
  run.log.write(event);
}

// Trains what is to be trained; the log tells the rest.
void run_stages(RunContext& run, LiveState live, const std::string& only) {
  const std::size_t count = run.plan.stages.size();
  const std::size_t last = only.empty() ? count - 1 : stage_index(run.plan, only);
  if (!only.empty() && !may_run(run.plan, last, live.header.progress)) return;
  for (;;) {
    state::Progress& at = live.header.progress;
    auto index = static_cast<std::size_t>(at.stage_index);
    if (at.stage_done && index >= last) return;
    if (at.stage_done) live = grow_into(run, std::move(live), ++index);
    const std::int64_t planned_end = live.header.progress.total_steps;
    const eval::EvalReport report = run_stage(run, live);
    if (index + 1 == count) end_run(run, live, report, planned_end);
  }
}

RunResult result_of(const plan::RunPlan& plan, const RunFolder& folder) {
  RunResult result;
  const runlog::Run log = runlog::read_log(folder.log(), folder.path().string());
  for (const runlog::Evaluation& end : log.stage_ends) {
    const Path file = folder.stage_file(end.stage);
    result.stages.push_back(
        {end.stage, state::CheckpointReader(file).header().progress, end.loss, end.se, file});
  }
  result.done = log.end.has_value() && result.stages.size() == plan.stages.size();
  if (result.done) result.bits_per_byte = log.end->bits_per_byte;
  return result;
}

// OpenMP ends the process when it cannot start a thread, so it is given only as many as can be had.
// asked: 0 for as many as OpenMP would take.
void use_threads_to_be_had(int asked) {
  const int wanted = asked > 0 ? asked : at::get_num_threads();
  const int had = threads_to_be_had(wanted);
  if (had < wanted)
    fmt::print(stderr,
               "warning: the system grants {} of {} threads (ulimit -u, or a container's limit); "
               "computing on {}\n",
               had, wanted, had);
  if (asked > 0 || had < wanted) at::set_num_threads(had);
}

}  // namespace

model::ModelOptions model_options(const DeviceRequest& request, model::Precision precision) {
  use_threads_to_be_had(request.threads);
  model::ModelOptions options{.device = model::parse_device(request.device),
                              .precision = precision};
  const std::string& word = request.kernels;
  if (word == "reference") {
    options.kernels = model::Kernels::reference;
  } else if (word == "fused") {
    options.kernels = model::Kernels::fused;
  } else if (word != "auto") {
    throw usage_error("--kernels '{}'{}", word, suggestion(word, {"auto", "reference", "fused"}));
  }
  return options;
}

model::ModelOptions options_of(const plan::RunPlan& plan, const DeviceRequest& request) {
  const auto precision = static_cast<model::Precision>(plan.schedule.precision);
  model::ModelOptions options = model_options(request, precision);
  options.dropout = plan.schedule.dropout;
  options.z_loss = plan.schedule.z_loss;
  options.recompute = static_cast<model::Recompute>(plan.schedule.batch.recompute);
  return options;
}

RunResult run(const plan::RunPlan& plan, const RunRequest& request) {
  const model::ModelOptions options = options_of(plan, request.device);
  if (!request.stage.empty()) stage_index(plan, request.stage);
  const RunData data = open_data(plan);
  const RunFolder folder(request.out, plan,
                         request.fresh    ? RunFolder::Mode::fresh
                         : request.replan ? RunFolder::Mode::replan
                                          : RunFolder::Mode::go_on);
  EventLog log(folder.log());
  ProgressLine line(plan, plan.schedule.log.seconds);
  RunContext run{plan, folder, data, log, line, {}};
  for (const std::string& note : notes_on(data)) line.say(note);
  try {
    LiveState live = take_up(request, options, run);
    log.write(start_event(
        plan, {options.device.str(), live.model->kernels_name(), at::get_num_threads()}, data));
    if (live.header.progress.step > 0) {
      Json event = place_event("resume", live.header.progress);
      event["file"] =
          run.last_saved.empty() ? request.branch_of->string() : run.last_saved.string();
      log.write(event);
    }
    const StopPointsOnly until_saved;
    run_stages(run, std::move(live), request.stage);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted || !error.hint().empty()) throw;
    throw error.with_hint(kRerun);
  }
  return result_of(plan, folder);
}

}  // namespace stagedtrain::train
