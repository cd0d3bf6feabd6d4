// Encodes the prompts of the schedule, samples, and reports what was sampled.
#include "scoring/samples.h"

#include <algorithm>
#include <chrono>

#include "base/stopwatch.h"
#include "eval/sample.h"
#include "eval/sample_text.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

std::shared_ptr<const data::Tokenizer> tokenizer_of(const RunData& data) {
  return data::Tokenizer::from_spec(data.tokenizer, data.train->path().string());
}

std::string where(std::size_t prompt) { return fmt::format("sample.prompts.{}", prompt); }

// Returns the text that follows the prompt. Logits that are not finite end it: the run refuses them
// at its next step.
std::string sampled(model::Model& model, SampleText& text, const std::string& prompt,
                    const eval::SampleOptions& options) {
  std::string added;
  try {
    eval::sample(model, text.begin(prompt), options,
                 [&](std::int64_t id) { added += text.add(id); });
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::diverged) throw;
  }
  return added;
}

// Returns the text on one line of at most about 100 bytes, cut between two characters.
std::string one_line(std::string text) {
  constexpr std::size_t kLongest = 100;
  const auto is_space = [](char c) { return c == '\n' || c == '\r' || c == '\t'; };
  std::ranges::replace_if(text, is_space, ' ');
  if (text.size() <= kLongest) return text;
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

void check_prompts(const plan::RunPlan& plan, const RunData& data) {
  if (!plan.schedule.sample) return;
  if (data.tokenizer.empty())
    throw usage_error(
        "sample: {} and {} do not record their tokenizer, expected token files that do",
        data.train->path().string(), data.validation->path().string())
        .with_hint("make the token files with 'stagedtrain data', or remove sample");
  const auto tokenizer = tokenizer_of(data);
  const std::vector<std::string>& prompts = plan.schedule.sample->prompts;
  for (const plan::StagePlan& stage : plan.stages)
    for (std::size_t i = 0; i < prompts.size(); ++i)
      SampleText(tokenizer, stage.model.vocab, where(i)).begin(prompts[i]);
}

void write_samples(RunContext& run, DeviceState& live) {
  // With shards, all ranks take part in every pass, and so choose the same tokens.
  if (!run.ranks.first() && !live.model->shards()) return;
  const auto start = std::chrono::steady_clock::now();
  const state::Progress& at = live.header.progress;
  const schedule::SampleSpec& spec = *run.plan.schedule.sample;
  const eval::SampleOptions options{spec.tokens, spec.temperature, spec.top_k, live.header.seed};
  const auto tokenizer = tokenizer_of(run.data);
  Json samples = Json::array();
  for (std::size_t i = 0; i < spec.prompts.size(); ++i) {
    SampleText text(tokenizer, live.header.model.vocab, where(i));
    const std::string& prompt = spec.prompts[i];
    const std::string added = sampled(*live.model, text, prompt, options);
    samples.push_back({{"prompt", prompt}, {"text", added}});
    if (run.ranks.first())
      run.line.print(fmt::format("{} step {}, sample: {}", at.stage, grouped(at.stage_step),
                                 one_line(prompt + added)));
  }
  if (!run.ranks.first()) return;
  Json event = place_event("sample", at);
  event["samples"] = std::move(samples);
  event["sample_seconds"] = seconds_since(start);
  run.log.write(event);
}

}  // namespace stagedtrain::train
