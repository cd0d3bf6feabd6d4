// Scores checkpoints on evenly spread windows of token files.
#include "scoring/losses.h"

#include <cmath>

#include "eval/evaluate.h"
#include "scoring/open_checkpoint.h"
#include "tokenizers/same_tokenizer.h"

namespace stagedtrain::train {
namespace {

// Runs before the weights are loaded, which can take long.
void check_tokenizer(const Path& checkpoint, const data::TokenFile& file) {
  data::require_same_tokenizer(file.path().string(), file.info().tokenizer, checkpoint.string(),
                               state::CheckpointReader(checkpoint).header().run.tokenizer);
}

// path names the checkpoint in errors.
eval::EvalReport score(const Path& path, DeviceState& live,
                       std::shared_ptr<const data::TokenFile> file, std::int64_t tokens,
                       std::int64_t rows, const eval::EvalShare& share = {}) {
  const arch::ModelConfig& model = live.header.model;
  const data::EvaluationSet set(file, model.context, model.vocab,
                                tokens > 0 ? tokens : file->count());
  const eval::EvalReport report = eval::evaluate(*live.model, set, rows, share);
  if (!std::isfinite(report.loss))
    throw make_error(ErrorKind::diverged,
                     "{}: its loss on {} is {}, expected a finite number: weights of the "
                     "checkpoint are not finite, or too large",
                     // prints "nan", not "-nan"
                     path.string(), file->path().string(), std::abs(report.loss))
        .with_hint(
            "'stagedtrain show CHECKPOINT --tensors' lists the weights that are not finite; "
            "choose an earlier checkpoint of the run");
  return report;
}

void refuse_others(dist::Ranks& ranks, const EvalRequest& request, const data::TokenFile& file) {
  if (ranks.alone()) return;
  const std::string tokens = std::to_string(request.tokens),
                    ema = request.ema ? "given" : "not given";
  refuse_other_work(ranks,
                    {file_fact("checkpoints", request.checkpoint,
                               state::CheckpointReader(request.checkpoint).identity()),
                     file_fact("tokens", file.path(), fmt::format("{:08x}", file.fingerprint())),
                     {"--tokens", tokens, tokens},
                     {"--ema", ema, ema}});
}

}  // namespace

EvalResult evaluate_file(const EvalRequest& request) {
  dist::Ranks& ranks = scoring_ranks(request.device);
  const auto file = std::make_shared<const data::TokenFile>(request.data);
  check_tokenizer(request.checkpoint, *file);
  DeviceState live = open_checkpoint(request.checkpoint, request.device, request.ema);
  file->check_vocab(live.header.model.vocab);  // also verifies the file's checksum
  refuse_others(ranks, request, *file);
  const eval::EvalReport report =
      score(request.checkpoint, live, file, request.tokens, request.rows,
            {ranks.rank(), ranks.size(), [&](std::vector<double>& losses) { ranks.sum(losses); }});
  const data::TokenFileInfo& info = file->info();
  return EvalResult{.loss = report.loss,
                    .standard_error = report.standard_error,
                    .perplexity = report.perplexity(),
                    .bits_per_byte = report.bits_per_byte(info.text_bytes_per_token),
                    .lossy = info.lossless == false,
                    .windows = report.windows,
                    .tokens = report.tokens,
                    .seconds = report.seconds,
                    .taken_for = info.note,
                    .warning = info.warning};
}

VerifyResult verify_files(const VerifyRequest& request) {
  constexpr std::int64_t kWindows = 32, kRows = 8;
  const auto file = std::make_shared<const data::TokenFile>(request.data);
  check_tokenizer(request.before, *file);
  DeviceState before = open_checkpoint(request.before, request.device);
  const std::int64_t tokens = kWindows * before.header.model.context;
  const eval::EvalReport first = score(request.before, before, file, tokens, kRows);
  before.model.reset();
  DeviceState after = open_checkpoint(request.after, request.device);
  return VerifyResult{first.loss, score(request.after, after, file, tokens, kRows).loss,
                      first.tokens};
}

}  // namespace stagedtrain::train
