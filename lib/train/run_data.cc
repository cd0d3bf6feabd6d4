// Opening and checking the token files.
#include "train/run_data.h"

#include "data/same_tokenizer.h"
#include "plan/resolve_files.h"
#include "state/checkpoint.h"

namespace stagedtrain::train {
namespace {

// Weights that begin with another run's go on reading the ids that they know.
void check_tokenizer_of_from(const schedule::Schedule& schedule, const std::string& tokenizer) {
  if (schedule.from.empty()) return;
  const std::string before = state::CheckpointReader(schedule.from).header().run.tokenizer;
  data::require_same_tokenizer(schedule.data.train, tokenizer, schedule.from, before);
}

}  // namespace

state::RunInfo RunData::info(const plan::RunPlan& plan) const {
  return {plan::resolved_yaml(plan), tokenizer, train->path().string(), fingerprint,
          text_bytes_per_token};
}

std::vector<std::string> notes_on(const RunData& data) {
  std::vector<std::string> notes;
  for (const auto& file : {data.train, data.validation})
    for (const std::string& note : {file->info().note, file->info().warning})
      if (!note.empty()) notes.push_back(fmt::format("{}: {}", file->path().string(), note));
  return notes;
}

RunData open_data(const plan::RunPlan& plan) {
  const schedule::DataSpec& spec = plan.schedule.data;
  plan::check_other_states(plan);
  RunData data;
  const plan::DataFiles files = plan::open_data(plan.schedule);
  data.train = files.train;
  data.validation = files.validation;
  for (const auto& file : {data.train, data.validation}) file->check_vocab(plan.final_model.vocab);
  data.tokenizer = data.train->info().tokenizer;
  const std::string& other = data.validation->info().tokenizer;
  data::require_same_tokenizer(spec.validation, other, spec.train, data.tokenizer);
  if (data.tokenizer.empty()) data.tokenizer = other;
  check_tokenizer_of_from(plan.schedule, data.tokenizer);
  data.fingerprint = fmt::format("{:08x}", data.train->fingerprint());
  data.text_bytes_per_token = data.validation->info().text_bytes_per_token;
  return data;
}

}  // namespace stagedtrain::train
