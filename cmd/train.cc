// Implements `stagedtrain train`: runs a schedule, or trains the final model from scratch for
// comparison.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "cmd/commands.h"
#include "cmd/count_option.h"
#include "cmd/engine.h"
#include "cmd/foreign_from.h"
#include "cmd/join.h"
#include "cmd/launch.h"
#include "cmd/launch_options.h"
#include "cmd/output.h"
#include "cmd/seeds.h"
#include "cmd/store_outcomes.h"
#include "forecast/frontier.h"
#include "forecast/predict.h"
#include "lengths/choose.h"
#include "lengths/resolve_files.h"
#include "outcomes/caches.h"
#include "runlog/run_processes.h"
#include "text/counted.h"
#include "text/error_bar.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

struct TrainArguments {
  std::string schedule, out, scratch_of;
  std::optional<std::string> seeds;
  std::vector<std::string> edits;
  train::RunRequest request;
  bool scratch = false, frontier = false, json = false;
  LaunchOptions launch;
};

constexpr const char* kTrainFooter = R"(
The run folder contains schedule.yaml (with every default written out), run.jsonl (the log),
checkpoints/ (the newest few) and stages/NAME.h5 (the end of each stage). The same command resumes a
stopped run from its newest undamaged checkpoint; the results are bit for bit those of a run that
never stopped. Damaged checkpoints are skipped and renamed to NAME.h5.damaged. The data may have
moved by then, and batch.micro may have changed: the tokens must be the same, the path need not be.

If the schedule's `from` is a Hugging Face folder, a GGUF or an llm.c model, it is imported first
(RUN/imported-NAME.h5), with the schedule's context if its positions are rotary.

--replan resumes with different lengths of the stages that have not ended, and any other changes to
those that have not begun. --extend resumes a run that has ended, with a longer last stage:
  stagedtrain train big.yaml --out runs/big --extend --set stages.full.for=3000
The learning rate then rises again from the value that it had decayed to; the earlier end is kept as
stages/NAME-ended-at-STEP.h5.

Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 save a checkpoint and exit with code 85; a second signal, more
than a second later, exits at once.

--scratch trains only the final model, from scratch, once for each length in scratch.budgets, each
fully decayed, into RUN/budget-STEPS. With wsd the runs share their stable part, so it is trained
once. Budgets in % refer to the planned steps; with --scratch-of STAGED, to the steps that a staged
run took, which are fewer if `until` ended a stage early.

--frontier trains other sizes from scratch (scratch.frontier: half and twice the layers, and those
of the earlier stages), each at about the FLOPs of the staged run, into
RUN/LAYERSxWIDTH/budget-STEPS. `report` then also says what staging saves compared with the best of
all sizes: if the final model is far from the best size for its FLOPs, staging saves much compared
with that model from scratch, and little compared with the best size.

--seeds 3 does all of this three times, with consecutive seeds from the schedule's on, into
OUT/seed-N, and prints the mean of the losses with its standard error over seeds; --seeds 1,5,9
lists the seeds. `report` averages runs that differ only in their seed. With budget.time every seed
takes as many steps as fit into its time, so their runs differ in length.

What a finished run has measured (seconds per token, what the decay gained) is kept in
~/.cache/stagedtrain for later plans. Before the first step, the planner decides the stages of
length auto and until: {slope: auto}; a resumed run keeps what was decided.

--processes N trains with N processes on this machine, --processes gpus with one for each GPU;
torchrun --no-python and srun start this command on several machines (docs/cluster.md). The size of
a step stays batch.sequences, of which each process trains its share. On CPUs, any number of
processes up to 8 gives the same results, bit for bit, if batch.micro is given. --threads is for
each process; without it, the processes divide OMP_NUM_THREADS or the cores among them. If a process
is lost, all others exit with code 6.

Examples:
  stagedtrain train schedules/demo.yaml --out runs/staged
  stagedtrain train schedules/demo.yaml --out runs/staged --processes 2
  stagedtrain train schedules/demo.yaml --out runs/scratch --scratch
  stagedtrain train schedules/demo.yaml --out runs/frontier --frontier
  stagedtrain train schedules/demo.yaml --out runs/staged --seeds 3
  stagedtrain train big.yaml --out runs/big --stage full          # a batch job for each stage
  stagedtrain train big.yaml --out runs/try --set lr.peak=1e-3 --set stages.full.for='2e15 flops'
  stagedtrain report runs/staged runs/scratch --out report.html)";

Json result_json(const train::RunResult& result, const Path& folder) {
  Json json = {{"run", folder.string()}, {"done", result.done}};
  json["bits_per_byte"] = result.bits_per_byte > 0 ? Json(result.bits_per_byte) : Json(nullptr);
  json["stages"] = Json::array();
  for (const train::StageResult& stage : result.stages)
    json["stages"].push_back(
        {{"name", stage.name},
         {"step", stage.is_known() ? Json(stage.progress.step) : Json(nullptr)},
         {"tokens", stage.is_known() ? Json(stage.progress.tokens) : Json(nullptr)},
         {"flops", stage.is_known() ? Json(stage.progress.flops) : Json(nullptr)},
         {"seconds", stage.is_known() ? Json(stage.progress.seconds) : Json(nullptr)},
         {"loss", stage.loss},
         {"stderr", stage.standard_error},
         {"checkpoint",
          stage.checkpoint.empty() ? Json(nullptr) : Json(stage.checkpoint.string())}});
  return json;
}

std::string loss_text(const train::StageResult& stage) {
  if (!std::isfinite(stage.loss)) return "unknown";
  return with_error(stage.loss, stage.standard_error, 4);
}

std::string result_text(const train::RunResult& result, const Path& folder) {
  const std::string row = "{:<12} {:>10} {:>9} {:>9} {:>9}  {:<18} {}\n";
  std::string text = fmt::format(fmt::runtime(row), "stage ended", "step", "tokens", "FLOPs",
                                 "time", "validation loss", "checkpoint");
  const auto if_known = [](const train::StageResult& stage, std::string number) {
    return stage.is_known() ? std::move(number) : std::string("unknown");
  };
  for (const train::StageResult& stage : result.stages)
    text +=
        fmt::format(fmt::runtime(row), stage.name, if_known(stage, grouped(stage.progress.step)),
                    if_known(stage, short_count(static_cast<double>(stage.progress.tokens))),
                    if_known(stage, short_count(stage.progress.flops)),
                    if_known(stage, short_seconds(stage.progress.seconds)), loss_text(stage),
                    stage.checkpoint.empty() ? "no longer there" : stage.checkpoint.string());
  if (!result.done) return text + fmt::format("{}: not all stages have ended\n", folder.string());
  if (result.bits_per_byte > 0)
    text += fmt::format("{:.4f} bits per byte of text at the end\n", result.bits_per_byte);
  return text;
}

// Stores a finished run's speeds, growth outcomes and score for later plans, unless its log was
// removed.
void teach_from(const plan::RunPlan& plan, const Path& folder) {
  std::error_code none;
  if (!std::filesystem::exists(folder / "run.jsonl", none)) return;
  const runlog::Run log = runlog::read_log(folder / "run.jsonl", folder.string());
  std::vector<plan::ScoredRun> scores;
  if (auto score = plan::score_of(log)) scores.push_back(std::move(*score));
  // Measurements are speeds of one process.
  const bool alone = runlog::read_processes(folder / "run.jsonl").most == 1;
  const auto speeds = alone ? plan::speeds_of(plan, log) : std::vector<plan::Measurement>();
  store_outcomes(speeds, plan::growths_of(log), scores);
}

// The results of all runs of one command.
struct Results {
  Json json = Json::array();
  EndLosses losses;  // of finished runs, keyed by the name within their seed's folder
};

// Returns the plan with its prediction, which the run's log stores.
plan::RunPlan with_prediction(plan::RunPlan plan, const LaunchOptions& launch, int threads) {
  const plan::Processes processes = {.count = ranks_of_run(),
                                     .sharding = plan::sharding_named(launch.sharding)};
  plan.prediction = plan::predict(plan, plan::scored_law(plan.schedule.plan.law), plan.transfer,
                                  plan::known_measurements(), processes,
                                  threads > 0 ? threads : threads_asked().value_or(0));
  return plan;
}

void run_one(const TrainArguments& a, const plan::RunPlan& asked, const train::RunRequest& request,
             Results& results) {
  const plan::RunPlan plan = with_prediction(asked, a.launch, request.device.threads);
  const train::RunResult result = engine().run(plan, request);
  if (result.done && result.stages.empty()) return;  // another rank reports the result
  if (result.done) {
    teach_from(plan, request.out);
    const std::string size =
        a.frontier ? request.out.parent_path().filename().string() + " " : std::string();
    const std::string name = a.scratch ? size + request.out.filename().string() : "at the end";
    if (std::isfinite(result.stages.back().loss))
      results.losses[name].push_back(result.stages.back().loss);
  }
  if (a.json) {
    results.json.push_back(result_json(result, request.out));
  } else {
    print(result_text(result, request.out));
  }
}

// Returns the number of steps that a staged run took.
std::int64_t steps_of_run(const Path& folder) {
  const runlog::Run log = runlog::read_log(folder / "run.jsonl", folder.string());
  if (!log.end || !std::isfinite(log.end->at.step))
    throw usage_error("--scratch-of {}: that run has not ended", folder.string())
        .with_hint("let it end first: the budgets are % of its steps");
  return std::llround(log.end->at.step);
}

bool has_percent(const std::vector<Duration>& budgets) {
  return std::ranges::find(budgets, DurationUnit::percent, &Duration::unit) != budgets.end();
}

void warn_of_planned_budgets(const plan::RunPlan& plan) {
  if (has_percent(plan.schedule.scratch.budgets) &&
      std::ranges::any_of(plan.stages, &plan::StagePlan::may_end_early))
    print_to_stderr(fmt::format(
        "scratch.budgets: % of the {} planned steps, but `until` may end the staged run "
        "earlier; with --scratch-of RUN, they are % of the steps that it took\n",
        grouped(plan.total_steps)));
}

// Trains each budget in its own folder.
void run_budgets(const TrainArguments& a, const std::vector<plan::RunPlan>& budgets,
                 const Path& folder, Results& results) {
  train::RunRequest request = a.request;
  for (const plan::RunPlan& budget : budgets) {
    request.out = folder / fmt::format("budget-{}", budget.total_steps);
    print_to_stderr(fmt::format("\nfrom scratch, {}, into {}\n",
                                counted(budget.total_steps, "step"), request.out.string()));
    run_one(a, budget, request, results);
    request.branch_of.reset();
    if (budget.branch_step) request.branch_of = request.out / "branch.h5";
  }
}

// With a time budget, the planned steps are only the most that a run may take.
void refuse_unknown_budgets(const plan::RunPlan& plan, const std::vector<Duration>& budgets,
                            const char* key, const char* hint) {
  if (plan.schedule.budget && has_percent(budgets))
    throw usage_error(
        "{}: found % of a staged run whose length the time budget decides, expected steps, tokens "
        "or flops",
        key)
        .with_hint(hint);
}

void run_frontier(const TrainArguments& a, const plan::RunPlan& plan, Results& results) {
  refuse_unknown_budgets(plan, plan.schedule.scratch.frontier.budgets, "scratch.frontier.budgets",
                         "give the FLOPs of the staged run that has ended, as 1e15 flops");
  for (const plan::SizeRuns& size : plan::resolve_frontier(plan))
    run_budgets(a, size.budgets, Path(a.out) / size.name, results);
}

void run_scratch(const TrainArguments& a, plan::RunPlan plan, Results& results) {
  if (a.scratch_of.empty()) {
    refuse_unknown_budgets(plan, plan.schedule.scratch.budgets, "scratch.budgets",
                           "give the staged run that has ended: --scratch-of RUN");
    warn_of_planned_budgets(plan);
  } else {
    plan.total_steps = steps_of_run(a.scratch_of);  // budgets in % refer to this
  }
  run_budgets(a, plan::resolve_scratch(plan), a.out, results);
}

// Returns the plan. A resumed run keeps what the planner chose when it began.
plan::RunPlan plan_of(const TrainArguments& a) {
  schedule::Schedule schedule = schedule::load(a.schedule, a.edits);
  const Path record = Path(a.out) / "schedule.yaml";
  std::error_code none;
  if (plan::asks_planner(schedule) && !a.request.replan && std::filesystem::exists(record, none))
    schedule = plan::as_recorded(schedule, read_text_file(record, 1 << 20));
  on_first_rank([schedule, &a]() mutable { import_foreign_from(schedule, a.out); });
  import_foreign_from(schedule, a.out);
  return plan::resolve_files(schedule);
}

// Returns the arguments for each seed, or only these without --seeds.
std::vector<TrainArguments> for_each_seed(const TrainArguments& a) {
  if (!a.seeds) return {a};
  std::vector<TrainArguments> all;
  for (const std::int64_t seed : read_seeds(*a.seeds, schedule::load(a.schedule, a.edits).seed)) {
    TrainArguments& one = all.emplace_back(a);
    one.edits.push_back(fmt::format("seed={}", seed));
    one.out = seed_folder(a.out, seed).string();
    std::error_code none;
    const Path staged = seed_folder(a.scratch_of, seed);
    if (!a.scratch_of.empty() && std::filesystem::exists(staged, none))
      one.scratch_of = staged.string();
  }
  return all;
}

void run(TrainArguments a) {
  export_rank_options(a.launch);
  const bool launches = !a.launch.processes.empty() && !is_launched();
  if (!launches) join_ranks(a.request.device);
  if (a.frontier && (a.scratch || !a.scratch_of.empty()))
    throw usage_error(
        "--frontier: cannot be combined with --scratch; run both, one for the other sizes and one "
        "for the final model");
  a.scratch = a.scratch || a.frontier || !a.scratch_of.empty();
  if (a.scratch && !a.request.stage.empty())
    throw usage_error("--stage: runs from scratch have no stages");
  if (a.scratch && a.request.extend)
    throw usage_error(
        "--extend: does not work with --scratch; add a longer budget to scratch.budgets");
  const std::vector<TrainArguments> all = for_each_seed(a);
  const plan::RunPlan first = plan_of(all[0]);
  if (launches) return launch(a.launch);
  if (first.schedule.budget && all.size() > 1)
    print_to_stderr(
        "note: with budget.time the clock decides how many steps each seed takes, so the runs have "
        "different lengths, and the error over seeds contains that\n");
  Results results;
  for (const TrainArguments& one : all) {
    if (a.seeds) print_to_stderr(fmt::format("\n{}, into {}\n", one.edits.back(), one.out));
    const plan::RunPlan plan = &one == &all[0] ? first : plan_of(one);
    if (a.frontier) {
      run_frontier(one, plan, results);
    } else if (a.scratch) {
      run_scratch(one, plan, results);
    } else {
      train::RunRequest request = one.request;
      request.out = one.out;
      run_one(one, plan, request, results);
    }
  }
  if (a.json && !results.json.empty())
    print(json_text(all.size() > 1 || a.scratch ? results.json : results.json[0]) + "\n");
  if (!a.json && all.size() > 1) print("\n" + mean_text(results.losses));
}

void add_rank_options(CLI::App& command, TrainArguments& a) {
  add_launch_options(command, "train", a.launch);
  command
      .add_option("--restart", a.launch.restarts,
                  "with --processes: how many times to start all processes again after one was "
                  "lost (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000));
  command
      .add_option(
          "--sharding", a.launch.sharding,
          "what processes divide among themselves besides the batch: none; optimizer, the moments "
          "and the work of AdamW (ZeRO-1); or full, weights and gradients too, which are gathered "
          "block by block (ZeRO-3, on CPUs); docs/cluster.md says which results are the same "
          "bit for bit (default: none)")
      ->type_name("KIND")
      ->check(CLI::IsMember({"none", "optimizer", "full"}));
}

}  // namespace

void add_train(CLI::App& app) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* command = app.add_subcommand(
      "train", "Trains a schedule's stages, growing the model between them; resumes");
  command
      ->add_option("schedule", a->schedule,
                   "the schedule, a YAML file (docs/schedule-reference.md)")
      ->required()
      ->type_name("SCHEDULE");
  command->add_option("--out", a->out, "folder of the run; created, or resumed if it holds the run")
      ->required()
      ->type_name("RUN");
  command
      ->add_option("--stage", a->request.stage,
                   "train only this stage; the previous stage must have ended in RUN")
      ->type_name("NAME");
  command->add_flag("--scratch", a->scratch, "train the final model from scratch, for comparison");
  command->add_flag("--frontier", a->frontier,
                    "train other sizes from scratch, for comparison with the best of them");
  command
      ->add_option(
          "--scratch-of", a->scratch_of,
          "like --scratch, with budgets in % of the steps that the staged run in this folder took")
      ->type_name("STAGED");
  command
      ->add_option(
          "--seeds", a->seeds,
          "train N times with different seeds, or once for each seed of a list, into OUT/seed-N")
      ->type_name("N|LIST");
  command->add_flag("--replan", a->request.replan,
                    "resume with different lengths of the stages that have not ended, and any "
                    "other changes to those that have not begun");
  command->add_flag("--extend", a->request.extend,
                    "resume a run that has ended, with a longer last stage");
  command->add_flag("--fresh", a->request.fresh, "refuse a folder that already holds a run");
  command
      ->add_option("--set", a->edits, "edit the schedule first: lr.peak=1e-3, stages.full.for=900")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--tensorboard", a->request.tensorboard,
                    "also write RUN/tensorboard/events.out.tfevents.*: losses, learning rate, "
                    "gradient norm, speed and growths for TensorBoard");
  add_device_options(*command, a->request.device);
  add_rank_options(*command, *a);
  command->add_flag("--json", a->json, "print the results as JSON");
  command->footer(kTrainFooter);
  command->callback([a] { run(*a); });
}

}  // namespace stagedtrain::cmd
