// Opens and checks the token files of a run.
#include "record/run_data.h"

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "lengths/resolve_files.h"
#include "text/text.h"
#include "tokenizers/same_tokenizer.h"

namespace stagedtrain::train {
namespace {

// Weights from another run know the ids of its tokenizer, so this run must use the same one.
void check_tokenizer_of(const std::string& checkpoint, const schedule::Schedule& schedule,
                        const std::string& tokenizer) {
  const std::string before = state::CheckpointReader(checkpoint).header().run.tokenizer;
  data::require_same_tokenizer(schedule.data.train, tokenizer, checkpoint, before);
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

void RunData::check_unchanged() const {
  train->check_unchanged(train_fingerprint);
  validation->check_unchanged(validation_fingerprint);
}

void RunData::check_same(const std::string& recorded) const {
  const std::vector<std::string> before = split(recorded, ' '), now = split(fingerprint, ' ');
  const auto check = [&](std::size_t i, const data::TokenFile& file, const char* what) {
    if (i >= before.size() || before[i].empty() || before[i] == now[i]) return;
    throw input_error(
        "{}: these are not the tokens that the run was {} (fingerprint {}, expected "
        "{})",
        file.path().string(), what, now[i], before[i])
        .with_hint("restore the file, or start in another --out");
  };
  check(0, *train, "trained on");
  check(1, *validation, "measured on");
}

RunData open_data(const plan::RunPlan& plan) {
  const schedule::DataSpec& spec = plan.schedule.data;
  RunData data;
  const plan::DataFiles files = plan::open_data(plan.schedule);
  data.train = files.train;
  data.validation = files.validation;
  for (const auto& file : {data.train, data.validation}) file->check_vocab(plan.final_model.vocab);
  data.tokenizer = data.train->info().tokenizer;
  const std::string& other = data.validation->info().tokenizer;
  data::require_same_tokenizer(spec.validation, other, spec.train, data.tokenizer);
  if (data.tokenizer.empty()) data.tokenizer = other;
  if (!plan.schedule.from.empty())
    check_tokenizer_of(plan.schedule.from, plan.schedule, data.tokenizer);
  for (const auto& [path, model] : plan.facts.larger)
    check_tokenizer_of(path, plan.schedule, data.tokenizer);
  data.train_fingerprint = data.train->fingerprint();
  data.validation_fingerprint = data.validation->fingerprint();
  data.fingerprint =
      fmt::format("{:08x} {:08x}", data.train_fingerprint, data.validation_fingerprint);
  data.text_bytes_per_token = data.validation->info().text_bytes_per_token;
  return data;
}

}  // namespace stagedtrain::train
