// Samples from checkpoints, and scores them on tasks.
#include "scoring/answers.h"

#include "base/crc32c.h"
#include "eval/sample.h"
#include "eval/sample_text.h"
#include "eval/tasks.h"
#include "replicas/rank_of_process.h"
#include "scoring/open_checkpoint.h"
#include "tokenizers/same_tokenizer.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::train {
namespace {

// Returns the checkpoint's tokenizer, or the given one, or null if neither is known.
std::unique_ptr<const data::Tokenizer> tokenizer_of(const Path& path, const std::string& given,
                                                    const std::string& recorded) {
  const std::string checkpoint = path.string();
  if (!given.empty() && !recorded.empty() && given != recorded)
    throw usage_error("--tokenizer: found {}, but {} was trained with {}",
                      data::describe_tokenizer(given), checkpoint,
                      data::describe_tokenizer(recorded))
        .with_hint("leave the option out: the checkpoint contains its tokenizer");
  if (!recorded.empty()) return data::Tokenizer::from_spec(recorded, checkpoint);
  return given.empty() ? nullptr : data::Tokenizer::from_spec(given, "--tokenizer");
}

// Selects the reference kernels on a CPU unless fused ones were asked for by name: only the
// reference has a key-value cache.
DeviceRequest for_decoding(DeviceRequest device) {
  if (device.kernels == "auto" && model::parse_device(device.device).is_cpu())
    device.kernels = "reference";
  return device;
}

void refuse_others(dist::Ranks& ranks, const TaskRequest& request) {
  if (ranks.alone()) return;
  const auto checksum = [](std::span<const std::byte> bytes) {
    return fmt::format("{:08x}", crc32c(bytes));
  };
  const std::string given = checksum(std::as_bytes(std::span(request.tokenizer)));
  const std::string ema = request.ema ? "given" : "not given";
  refuse_other_work(ranks,
                    {file_fact("checkpoints", request.checkpoint,
                               state::CheckpointReader(request.checkpoint).identity()),
                     file_fact("tasks", request.file, checksum(MappedFile(request.file).bytes())),
                     {"values of --tokenizer", given, "checksum " + given},
                     {"--ema", ema, ema}});
}

SampleUnit sample_alone(const SampleRequest& request,
                        const std::function<void(const std::string&)>& emit) {
  DeviceState live = open_checkpoint(request.checkpoint, for_decoding(request.device), request.ema);
  SampleText text(tokenizer_of(request.checkpoint, request.tokenizer, live.header.run.tokenizer),
                  live.header.model.vocab);
  const std::vector<std::int64_t> prompt = text.begin(request.prompt);
  bool begun = false;  // the prompt is printed with the first token, after all checks have passed
  eval::sample(*live.model, prompt,
               {request.tokens, request.temperature, request.top_k, request.seed},
               [&](std::int64_t id) {
                 if (!begun) emit(text.said());
                 begun = true;
                 emit(text.add(id));
               });
  return text.as_ids() ? SampleUnit::ids : SampleUnit::text;
}

}  // namespace

SampleUnit sample_from_file(const SampleRequest& request,
                            const std::function<void(const std::string&)>& emit) {
  scoring_ranks(request.device);
  SampleUnit unit = SampleUnit::text;
  on_first_rank([&] { unit = sample_alone(request, emit); });
  return unit;
}

TaskResult score_task_file(const TaskRequest& request) {
  dist::Ranks& ranks = scoring_ranks(request.device);
  const std::vector<eval::TaskExample> examples = eval::read_task_file(request.file);
  DeviceState live = open_checkpoint(request.checkpoint, for_decoding(request.device), request.ema);
  const auto tokenizer =
      tokenizer_of(request.checkpoint, request.tokenizer, live.header.run.tokenizer);
  if (!tokenizer)
    throw usage_error("{}: does not record its tokenizer, which tasks need",
                      request.checkpoint.string())
        .with_hint("give --tokenizer bytes or --tokenizer FILE");
  refuse_others(ranks, request);
  eval::TaskReport report = eval::score_tasks(
      *live.model, *tokenizer, examples,
      {ranks.rank(), ranks.size(), [&](std::vector<double>& values) { ranks.sum(values); }});
  return TaskResult{.choices = report.choices,
                    .last_words = report.last_words,
                    .acc = report.accuracy.value,
                    .acc_stderr = report.accuracy.standard_error,
                    .acc_norm = report.by_characters.value,
                    .acc_norm_stderr = report.by_characters.standard_error,
                    .acc_bytes = report.by_bytes.value,
                    .acc_bytes_stderr = report.by_bytes.standard_error,
                    .exact = report.exact.value,
                    .exact_stderr = report.exact.standard_error,
                    .perplexity = report.perplexity,
                    .seconds = report.seconds,
                    .log_likelihoods = std::move(report.log_likelihoods)};
}

}  // namespace stagedtrain::train
