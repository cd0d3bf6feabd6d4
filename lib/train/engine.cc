// Implements the functions that the executable calls in the LibTorch module, and turns LibTorch's
// exceptions into Errors.
#include "engine/engine.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <new>

#include "eval/evaluate.h"
#include "eval/sample.h"
#include "eval/sample_text.h"
#include "eval/tasks.h"
#include "replicas/rank_of_process.h"
#include "runfolder/device_state.h"
#include "tokenizers/same_tokenizer.h"
#include "tokenizers/tokenizer.h"
#include "train/measure.h"
#include "train/run.h"

namespace stagedtrain::train {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// LibTorch reports "out of memory" on a GPU and "can't allocate memory" on a CPU.
Error translated(const std::string& what) {
  const bool memory = what.find("out of memory") != std::string::npos ||
                      what.find("can't allocate memory") != std::string::npos;
  if (memory)
    return resource_error("not enough memory: {}", first_line(what))
        .with_hint("lower batch.micro, or use a smaller model");
  return Error(ErrorKind::bug, "LibTorch: " + first_line(what),
               "please report it with the command line");
}

template <class F>
auto translating(F f) {
  try {
    return f();
  } catch (const Error&) {
    throw;
  } catch (const c10::Error& error) {
    throw translated(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw resource_error("out of memory").with_hint("lower batch.micro, or use a smaller model");
  }
}

// Loads a checkpoint for scoring, in the precision in which it was saved. ema: with the moving
// average in place of the weights.
DeviceState open_checkpoint(const Path& path, const DeviceRequest& device, bool ema = false) {
  const state::StateHeader header = state::CheckpointReader(path).header();
  if (ema && !header.ema)
    throw usage_error("--ema: {} has no moving average of the weights", path.string())
        .with_hint("leave --ema out, or train with ema in the schedule");
  const auto precision =
      header.dtype == state::DType::f64 ? model::Precision::fp64 : model::Precision::fp32;
  DeviceState live = load_live(path, model_options(device, precision));
  if (ema) {
    live.model->params().weights().copy_(live.model->params().ema());
    live.model->weights_changed();
  }
  return live;
}

// Runs before the weights are loaded, which can take long.
void check_tokenizer(const Path& checkpoint, const data::TokenFile& file) {
  data::require_same_tokenizer(file.path().string(), file.info().tokenizer, checkpoint.string(),
                               state::CheckpointReader(checkpoint).header().run.tokenizer);
}

// path names the checkpoint in errors.
eval::EvalReport score(const Path& path, DeviceState& live,
                       std::shared_ptr<const data::TokenFile> file, std::int64_t tokens,
                       std::int64_t rows) {
  const arch::ModelConfig& model = live.header.model;
  const data::EvaluationSet set(file, model.context, model.vocab,
                                tokens > 0 ? tokens : file->count());
  const eval::EvalReport report = eval::evaluate(*live.model, set, rows);
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

EvalResult evaluate(const EvalRequest& request) {
  return translating([&] {
    const auto file = std::make_shared<const data::TokenFile>(request.data);
    check_tokenizer(request.checkpoint, *file);
    DeviceState live = open_checkpoint(request.checkpoint, request.device, request.ema);
    file->check_vocab(live.header.model.vocab);  // also verifies the file's checksum
    const eval::EvalReport report =
        score(request.checkpoint, live, file, request.tokens, request.rows);
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
  });
}

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

SampleUnit sample(const SampleRequest& request,
                  const std::function<void(const std::string&)>& emit) {
  return translating([&] {
    DeviceState live =
        open_checkpoint(request.checkpoint, for_decoding(request.device), request.ema);
    SampleText text(
        tokenizer_of(request.checkpoint, request.tokenizer, live.header.run.tokenizer),
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
  });
}

TaskResult score_tasks(const TaskRequest& request) {
  return translating([&] {
    const std::vector<eval::TaskExample> examples = eval::read_task_file(request.file);
    DeviceState live =
        open_checkpoint(request.checkpoint, for_decoding(request.device), request.ema);
    const auto tokenizer =
        tokenizer_of(request.checkpoint, request.tokenizer, live.header.run.tokenizer);
    if (!tokenizer)
      throw usage_error("{}: does not record its tokenizer, which tasks need",
                        request.checkpoint.string())
          .with_hint("give --tokenizer bytes or --tokenizer FILE");
    eval::TaskReport report = eval::score_tasks(*live.model, *tokenizer, examples);
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
  });
}

VerifyResult verify(const VerifyRequest& request) {
  return translating([&] {
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
  });
}

RunResult translated_run(const plan::RunPlan& plan, const RunRequest& request) {
  try {
    return translating([&] { return run(plan, request); });
  } catch (const Error& error) {
    throw ending_of(error);
  }
}

std::vector<plan::Measurement> translated_measure(
    const plan::RunPlan& plan, const MeasureRequest& request,
    const std::function<void(const std::string&)>& on_stage) {
  return translating([&] { return measure(plan, request, on_stage); });
}

constexpr Engine kEngine{interface_stamp(), translated_run, evaluate,          sample,
                         score_tasks,       verify,         translated_measure};

}  // namespace
}  // namespace stagedtrain::train

extern "C" const stagedtrain::train::Engine* stagedtrain_engine() {
  return &stagedtrain::train::kEngine;
}
