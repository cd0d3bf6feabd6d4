// Finds where a run stands, and takes it from stage to stage.
#include "train/run.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "base/signals.h"
#include "io/terminal.h"
#include "lengths/resolve_files.h"
#include "optim/full_shards.h"
#include "optim/optimizer.h"
#include "plan/processes.h"
#include "replicas/device_options.h"
#include "replicas/rank_of_process.h"
#include "replicas/replicas.h"
#include "replicas/same_everywhere.h"
#include "replicas/shared_save.h"
#include "scoring/samples.h"
#include "text/json.h"
#include "text/text.h"
#include "train/growing.h"
#include "train/run_outcome.h"
#include "train/stage.h"
#include "train/take_up.h"

namespace stagedtrain::train {
namespace {

constexpr const char* kRerun = "run the same command again to continue";

std::size_t stage_index(const plan::RunPlan& plan, const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    if (plan.stages[i].name == name) return i;
    names.push_back(plan.stages[i].name);
  }
  throw usage_error("--stage: the schedule has no stage '{}'{}", name, suggestion(name, names));
}

// Returns whether stage `wanted` has anything left to train. Throws Error(usage) if the stage
// before it has not ended.
bool may_run(const plan::RunPlan& plan, std::size_t wanted, const state::Progress& at) {
  const auto current = static_cast<std::size_t>(at.stage_index);
  if (current > wanted || (current == wanted && at.stage_done)) return false;
  if (current == wanted || (current + 1 == wanted && at.stage_done)) return true;
  throw usage_error("--stage {}: it grows from '{}', which has not ended in this run",
                    plan.stages[wanted].name, plan.stages[wanted - 1].name)
      .with_hint(fmt::format("run --stage {} first", plan.stages[current].name));
}

// Returns whether the request leaves anything to train. Throws as may_run does.
bool has_work(const plan::RunPlan& plan, const std::string& only, const state::Progress& at) {
  if (!only.empty()) return may_run(plan, stage_index(plan, only), at);
  return static_cast<std::size_t>(at.stage_index) + 1 < plan.stages.size() || !at.stage_done;
}

// Saves the end of the stage again if its file is missing or damaged, because growing reads it.
void keep_end_of_stage(const RunContext& run, DeviceState& live) {
  const Path file = run.folder.stage_file(live.header.progress.stage);
  bool is_lost = false;
  if (run.ranks.first()) try {
      state::CheckpointReader reader(file);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      is_lost = true;
    }
  if (run.ranks.from_first(is_lost ? 1 : 0) == 0) return;
  if (run.ranks.first()) run.folder.check_lock();
  if (live.model->shards()) {
    save_shared(file, live, run.ranks);
  } else if (run.ranks.first()) {
    save_live(file, live);
  }
}

// Trains the remaining stages and logs them. Requires that there is work.
void run_stages(RunContext& run, DeviceState& live, const std::string& only) {
  const std::size_t count = run.plan.stages.size();
  const std::size_t last = only.empty() ? count - 1 : stage_index(run.plan, only);
  for (;;) {
    state::Progress& at = live.header.progress;
    auto index = static_cast<std::size_t>(at.stage_index);
    if (at.stage_done && index >= last) return;
    if (at.stage_done) {
      keep_end_of_stage(run, live);
      live = grow_into(run, std::move(live), ++index);
    }
    const eval::EvalReport report = run_stage(run, live);
    if (index + 1 == count) run.log.write(end_event(run, live.header.progress, report));
    run.log.sync();
  }
}

// Prints what a user should know before the first step: the whole plan of a new run, or one line of
// a run that continues.
void say_where(RunContext& run, const TakenUp& taken) {
  for (const std::string& note : notes_on(run.data)) run.line.print(note);
  for (const std::string& note : run.folder.notes()) run.line.print(note);
  for (const std::string& message : taken.messages) run.line.print(message);
  if (taken.from.empty()) return run.line.print(plan::to_text(run.plan));
  const state::Progress& at = taken.live.header.progress;
  run.line.print(
      fmt::format("resuming from {} (stage {}, step {} of {}{})", taken.from.string(), at.stage,
                  grouped(at.stage_step),
                  grouped(run.plan.stages[static_cast<std::size_t>(at.stage_index)].steps),
                  at.stage_done ? ", done" : ""));
}

// Keeps the end of a run that is extended under another name, because its file will be replaced.
void keep_extended_end(const RunContext& run, const TakenUp& taken) {
  const state::Progress& at = taken.live.header.progress;
  const Path end = run.folder.stage_file(at.stage);
  if (taken.from != end || at.stage_done) return;
  const Path kept = run.folder.stage_file(fmt::format("{}-ended-at-{}", at.stage, at.step));
  std::error_code none;
  if (!std::filesystem::exists(kept, none)) std::filesystem::create_hard_link(end, kept, none);
  if (none) std::filesystem::copy_file(end, kept);
}

void begin_log(RunContext& run, const TakenUp& taken, const Json& start) {
  run.log.write(start);
  if (taken.fit) run.log.write(*taken.fit);
  if (taken.live.header.progress.step == 0) return;
  Json event = place_event("resume", taken.live.header.progress);
  event["file"] = taken.from.string();
  run.log.write(event);
}

RunFolder::Mode mode_of(const RunRequest& request) {
  if (request.fresh + request.replan + request.extend > 1)
    throw usage_error("--fresh, --replan and --extend cannot be combined: give one of them");
  if (request.fresh) return RunFolder::Mode::fresh;
  if (request.extend) return RunFolder::Mode::extend;
  return request.replan ? RunFolder::Mode::replan : RunFolder::Mode::go_on;
}

// Trains on a rank that is not the first: it does the same work, but prints and writes nothing.
void train_along(RunContext& run, const RunRequest& request, TakenUp& taken) {
  if (has_work(run.plan, request.stage, taken.live.header.progress))
    run_stages(run, taken.live, request.stage);
}

// Tells which of the stage's checkpoints are the best so far.
void recall_losses(RunContext& run, const runlog::Run& log, const state::Progress& at) {
  for (const runlog::Evaluation& one : log.evaluations)
    if (one.stage == at.stage && one.at.step <= static_cast<double>(at.step))
      run.kept.measured(one.stage, std::llround(one.at.step), one.loss);
}

void add_ranks(const dist::Ranks& ranks, Json& start) {
  if (ranks.alone()) return;
  start["ranks"] = {
      {"count", ranks.size()}, {"backend", ranks.backend()}, {"launcher", ranks.place().launcher}};
}

void train(RunContext& run, const RunRequest& request, TakenUp& taken) {
  std::vector<std::string> messages;
  const std::optional<runlog::Run> log = read_own_log(run.folder, messages);
  if (!log && messages.empty() && !taken.from.empty() && taken.from != request.branch_of)
    messages.push_back(
        "warning: run.jsonl is missing; a new one is started, without the earlier events");
  for (std::string& message : messages) taken.messages.push_back(std::move(message));
  if (log) recall_losses(run, *log, taken.live.header.progress);
  Json start = start_event(
      run.plan,
      {taken.live.options.device.str(), taken.live.model->kernels_name(), at::get_num_threads()},
      run.data);
  add_ranks(run.ranks, start);
  run.process = process_of(start);
  const bool work = has_work(run.plan, request.stage, taken.live.header.progress);
  if (work) {
    say_where(run, taken);
    run.folder.record(run.plan);
    keep_extended_end(run, taken);
    begin_log(run, taken, start);
  } else {
    for (const std::string& message : taken.messages) run.line.print(message);
  }
  repair_log(run, taken.live, log, start, work);
  if (!work) return;
  const StopPointsOnly until_saved;
  run_stages(run, taken.live, request.stage);
}

// Returns the peak FLOPs per second of all ranks, from the schedule, or 0 if it does not say or
// describes other hardware.
double peak_flops(const plan::RunPlan& plan, const at::Device& device, const dist::Ranks& ranks) {
  const schedule::MachineSpec& machine = plan.schedule.machine;
  if (machine.flops == 0) return 0;
  if (!machine.device.empty() && machine.device != plan::device_name(device.str())) return 0;
  return machine.flops * ranks.size();
}

}  // namespace

RunResult run(const plan::RunPlan& plan, const RunRequest& request) {
  model::ModelOptions options = options_of(plan, device_of_rank(request.device));
  const plan::Sharding sharding = sharding_of_process(options.precision);
  plan::refuse_sharding(plan, sharding);
  if (sharding == plan::Sharding::full && !options.device.is_cpu())
    throw usage_error("--sharding full: found --device {}, expected cpu", options.device.str())
        .with_hint("use --sharding optimizer, which divides the moments on GPUs, too");
  dist::Ranks& ranks = ranks_of_process(options.device);
  if (sharding == plan::Sharding::full && !ranks.alone()) options.make_shards = full_shards(ranks);
  const std::size_t stages =
      request.stage.empty() ? plan.stages.size() : stage_index(plan, request.stage) + 1;
  plan::check_other_states(plan, stages);
  const RunData data = open_data(plan);
  check_prompts(plan, data);
  ProgressLine line(plan, plan.schedule.log.seconds, !ranks.first());
  refuse_other_ranks(ranks, plan, data, sharding);
  const RunFolder folder(request.out, plan,
                         ranks.first() ? mode_of(request) : RunFolder::Mode::attend);
  EventLog log(ranks.first() ? folder.log() : Path());
  if (request.tensorboard && ranks.first()) log.add_tensorboard(request.out / "tensorboard");
  RunContext run{plan,     folder,
                 data,     log,
                 line,     KeptCheckpoints(folder, plan.schedule.checkpoint.keep),
                 {},       ranks,
                 sharding, peak_flops(plan, options.device, ranks)};
  try {
    ranks.will_save();
    ranks.set_phase("loading");
    TakenUp taken = take_up(request, options, run);
    if (ranks.first()) plan::read_later_files(plan, taken.live.header, stages);
    check_replicas(ranks, taken.live);
    if (!ranks.first()) {
      train_along(run, request, taken);
      return {.done = true};
    }
    train(run, request, taken);
    return outcome(plan, folder, taken.live.header.progress);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::interrupted || !error.hint().empty()) throw;
    throw error.with_hint(kRerun);
  }
}

}  // namespace stagedtrain::train
