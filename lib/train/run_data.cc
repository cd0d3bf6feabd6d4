// Opening and checking the token files.
#include "train/run_data.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/resolve_files.h"

namespace stagedtrain::train {
state::RunInfo RunData::info(const plan::RunPlan& plan) const {
  return {plan::resolved_yaml(plan), tokenizer, train->path().string(), fingerprint,
          text_bytes_per_token};
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
  plan::check_other_states(plan);
  RunData data;
  const plan::DataFiles files = plan::open_data(plan.schedule);
  data.train = files.train;
  data.validation = files.validation;
  for (const auto& file : {data.train, data.validation}) file->check_vocab(plan.final_model.vocab);
  data.tokenizer = data.train->info().tokenizer;
  const std::string& other = data.validation->info().tokenizer;
  if (!data.tokenizer.empty() && !other.empty() && other != data.tokenizer)
    throw input_error("{}: made with another tokenizer than {}", spec.validation, spec.train)
        .with_hint("make both files in one call of stagedtrain data");
  if (data.tokenizer.empty()) data.tokenizer = other;
  data.train_fingerprint = data.train->fingerprint();
  data.validation_fingerprint = data.validation->fingerprint();
  data.fingerprint =
      fmt::format("{:08x} {:08x}", data.train_fingerprint, data.validation_fingerprint);
  data.text_bytes_per_token = data.validation->info().text_bytes_per_token;
  return data;
}

}  // namespace stagedtrain::train
