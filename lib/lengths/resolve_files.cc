// Opens the files that a schedule names, and resolves the schedule with what they contain.
#include "lengths/resolve_files.h"

#include <set>
#include <span>

#include "checkpoint/checkpoint.h"
#include "data/batch_stream.h"
#include "forecast/annealed_end.h"
#include "forecast/forecast.h"
#include "lengths/choose.h"
#include "outcomes/caches.h"
#include "plan/data_vocab.h"
#include "policies/transplant.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;

bool is_there(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// Returns where the file of a relative path is: in the current folder, or else in the folder of the
// schedule or one above it. So a schedule, and the copy of it in a run's folder, work in any
// working directory. A run checks the data by fingerprint.
std::string found_path(const std::string& path, const Mark& schedule) {
  if (path.empty() || Path(path).is_absolute() || is_there(path) || !schedule.file) return path;
  std::error_code ignored;
  Path folder = std::filesystem::absolute(*schedule.file, ignored).parent_path();
  for (; !ignored && !folder.empty(); folder = folder.parent_path()) {
    if (const Path found = folder / path; is_there(found.string())) return found.string();
    if (folder == folder.root_path()) break;
  }
  return path;
}

// The same for a law, which may be a list of law files of several contexts.
std::string found_law(const std::string& law, const Mark& schedule) {
  if (!names_law_file(law)) return law;
  const std::string found = found_path(law, schedule);
  if (is_there(found) || law.find(',') == std::string::npos) return found;
  std::vector<std::string> files;
  for (const std::string& file : split(law, ','))
    files.push_back(found_path(std::string(trim(file)), schedule));
  return fmt::format("{}", fmt::join(files, ","));
}

Schedule with_files_found(Schedule s) {
  for (std::string* path : {&s.data.train, &s.data.validation, &s.from})
    *path = found_path(*path, s.source.mark);
  s.plan.law = found_law(s.plan.law, s.source.mark);
  for (schedule::StageSpec& stage : s.stages)
    if (stage.policies.adapters)
      stage.policies.adapters->from = found_path(stage.policies.adapters->from, s.source.mark);
  return s;
}

// Returns the error for a missing file, at the position of the value that names it.
Error not_there(const Schedule& s, std::initializer_list<const char*> keys, const std::string& path,
                const char* hint) {
  const Tree* place = &s.source;
  std::string name;
  for (const char* key : keys) {
    name += (name.empty() ? "" : ".") + std::string(key);
    if (const Tree* next = place->find(key)) place = next;
  }
  return place->error("{}: there is no file '{}'", name, path).with_hint(hint);
}

std::optional<arch::ModelConfig> model_of_from(const Schedule& s) {
  if (s.from.empty()) return {};
  if (!is_there(s.from))
    throw not_there(s, {"from"}, s.from, "give a checkpoint, or remove the key for fresh weights");
  return state::CheckpointReader(s.from).header().model;
}

// Returns the models that adapters of any stage begin from, as far as their files exist.
std::map<std::string, arch::ModelConfig> larger_models(const Schedule& s) {
  std::map<std::string, arch::ModelConfig> models;
  for (const schedule::StageSpec& stage : s.stages) {
    if (!transplants(stage.policies) || !is_there(stage.policies.adapters->from)) continue;
    const std::string& path = stage.policies.adapters->from;
    const state::CheckpointReader reader(path);
    const state::StateHeader& header = reader.header();
    if (header.progress.step < header.mask.start + header.mask.steps)
      throw usage_error("stage {}: adapters.from: {}: found a model whose mask still rises",
                        stage.name, path)
          .with_hint("use a checkpoint of a later step");
    models[path] = header.model;
  }
  return models;
}

// Reads all weights once, which throws if one is damaged or not finite.
void read_weights(const state::CheckpointReader& reader) {
  for (std::size_t i = 0; i < reader.table().size(); ++i) {
    reader.view(state::TensorKind::weights, i);
    reader.release(state::TensorKind::weights, i);
  }
}

std::shared_ptr<const data::TokenFile> open_tokens(const Schedule& s, const char* key,
                                                   const std::string& path) {
  if (!is_there(path))
    throw not_there(
        s, {"data", key}, path,
        "make it with `stagedtrain data TEXT --out DIR`; relative paths start at the current "
        "folder, the folder of the schedule, or one above it");
  auto file = std::make_shared<const data::TokenFile>(path);
  // This throws if the file is too short for one window.
  data::BatchStream(file, s.model.context, s.model.vocab, {});
  if (file->info().vocab > s.model.vocab)
    throw input_error("{}: its tokenizer has {} ids, but model.vocab is {}", path,
                      grouped(file->info().vocab), grouped(s.model.vocab))
        .with_hint(fmt::format("set model.vocab to {} or more", file->info().vocab));
  return file;
}

// If the law knows what the plan's decay gains, replaces the predictions of the choice of lengths,
// which ignore the warm-up and the decay.
void predict_stages(const PlanningLaw& law, RunPlan& plan) {
  if (!law.annealing || !has_decay_effect(plan)) return;
  const Outlook outlook = forecast(plan, run_cost(plan), law, plan.transfer);
  if (outlook.forecasts.empty()) return;
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    plan.stages[i].predicted_loss = outlook.forecasts[0].stages[i].end.loss;
}

}  // namespace

RunPlan resolve_files(const Schedule& written, const std::string& measurements) {
  const Schedule s = with_vocab_of_data(with_files_found(written));
  DataFacts facts;
  if (s.model.context > 0 && is_there(s.data.train)) {
    const auto train = open_tokens(s, "train", s.data.train);
    facts.train_tokens = train->count();
    facts.train_fingerprint = fmt::format("{:08x}", train->fingerprint());
  }
  facts.larger = larger_models(s);
  const bool names_law = s.source.find("plan") && s.from.empty();
  if (!asks_planner(s) && !names_law) return resolve(s, facts, model_of_from(s));
  const Choice choice = choose(s, facts, known_measurements(measurements), known_growths());
  RunPlan plan = resolve(choice.schedule, facts);
  plan.transfer = choice.transfer;
  plan.chosen = choice.messages;
  plan.predicted_by = choice.predicted_by;
  for (std::size_t i = 0; i < choice.end_losses.size(); ++i)
    plan.stages[i].predicted_loss = choice.end_losses[i];
  predict_stages(choice.law, plan);
  return plan;
}

DataFiles open_data(const Schedule& s) {
  return {open_tokens(s, "train", s.data.train), open_tokens(s, "validation", s.data.validation)};
}

bool in_run_folder(const std::string& path) { return path.starts_with("stages/"); }

void check_other_states(const RunPlan& plan, std::size_t stages) {
  for (const StagePlan& stage : std::span(plan.stages).first(stages)) {
    if (!stage.growth) continue;
    for (const grow::GrowthStep& step : stage.growth->steps)
      for (const std::string& path : step.others) {
        if (in_run_folder(path)) continue;
        if (!is_there(path))
          throw usage_error("stage {}: there is no file '{}'", stage.name, path)
              .with_hint(
                  "train it first, or give a path that begins with stages/ for the end of an "
                  "earlier stage of this run");
        const arch::ModelConfig& found = state::CheckpointReader(path).header().model;
        if (!(found == step.from))
          throw usage_error("stage {}: {} holds {}, expected {}", stage.name, path, describe(found),
                            describe(step.from));
      }
  }
}

void read_later_files(const RunPlan& plan, const state::StateHeader& header, std::size_t stages) {
  const auto now = static_cast<std::size_t>(header.progress.stage_index);
  std::set<std::string> others, larger;
  for (std::size_t i = now; i < stages; ++i) {
    const StagePlan& stage = plan.stages[i];
    if (stage.growth && i > now)
      for (const grow::GrowthStep& step : stage.growth->steps)
        for (const std::string& path : step.others)
          if (!in_run_folder(path)) others.insert(path);
    const bool has_begun = stage.name == header.progress.stage && !header.adapters.none();
    if (!transplants(stage.policies) || has_begun) continue;
    const std::string& path = stage.policies.adapters->from;
    if (!stage.larger)
      throw usage_error("stage {}: adapters.from: there is no file '{}'", stage.name, path)
          .with_hint("train the larger model first, or leave out adapters.from");
    larger.insert(path);
  }
  for (const std::string& path : others) state::CheckpointReader(path).verify();
  for (const std::string& path : larger) read_weights(state::CheckpointReader(path));
}

}  // namespace stagedtrain::plan
