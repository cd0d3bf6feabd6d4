// Opening and checking the token files.
#include "train/run_data.h"

#include "base/error.h"
#include "base/text.h"

namespace stagedtrain::train {
namespace {

std::shared_ptr<const data::TokenFile> open_tokens(const std::string& path,
                                                   const arch::ModelConfig& model) {
  auto file = std::make_shared<const data::TokenFile>(path);
  if (file->count() <= model.context)
    throw input_error("{}: {} tokens, expected at least {} (a context of {} and one more)", path,
                      grouped(file->count()), grouped(model.context + 1), model.context)
        .with_hint("use more text or a shorter model.context");
  file->check_vocab(model.vocab);
  return file;
}

}  // namespace

state::RunInfo RunData::info(const plan::RunPlan& plan) const {
  return {plan::resolved_yaml(plan), tokenizer, train->path().string(), fingerprint,
          text_bytes_per_token};
}

RunData open_data(const plan::RunPlan& plan) {
  const schedule::DataSpec& spec = plan.schedule.data;
  RunData data;
  data.train = open_tokens(spec.train, plan.final_model);
  data.validation = open_tokens(spec.validation, plan.final_model);
  data.tokenizer = data.train->info().tokenizer;
  const std::string& other = data.validation->info().tokenizer;
  if (!data.tokenizer.empty() && !other.empty() && other != data.tokenizer)
    throw input_error("{}: made with another tokenizer than {}", spec.validation, spec.train)
        .with_hint("make both files in one call of stagedtrain data");
  if (data.tokenizer.empty()) data.tokenizer = other;
  data.fingerprint = fmt::format("{:08x}", data.train->fingerprint());
  data.text_bytes_per_token = data.validation->info().text_bytes_per_token;
  return data;
}

}  // namespace stagedtrain::train
