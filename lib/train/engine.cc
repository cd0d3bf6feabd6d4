// The module's door: calls come in, results go out, LibTorch's exceptions become Errors.
#include "train/engine.h"

#include <c10/util/Exception.h>

#include <new>

#include "data/tokenizer.h"
#include "eval/evaluate.h"
#include "eval/sample.h"
#include "train/live_state.h"
#include "train/measure.h"
#include "train/run.h"

namespace stagedtrain::train {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// LibTorch says "out of memory" on a GPU, "can't allocate memory" on a CPU.
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
auto at_door(F f) {
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

// A checkpoint, ready to be scored, in the precision that it was kept in.
LiveState open_checkpoint(const Path& path, const DeviceRequest& device) {
  const state::DType dtype = state::CheckpointReader(path).header().dtype;
  const auto precision =
      dtype == state::DType::f64 ? model::Precision::fp64 : model::Precision::fp32;
  return load_live(path, model_options(device, precision));
}

eval::EvalReport score(LiveState& live, std::shared_ptr<const data::TokenFile> file,
                       std::int64_t tokens, std::int64_t rows) {
  const arch::ModelConfig& model = live.header.model;
  const data::EvaluationSet set(file, model.context, model.vocab,
                                tokens > 0 ? tokens : file->count());
  return eval::evaluate(*live.model, set, rows);
}

EvalResult evaluate(const EvalRequest& request) {
  return at_door([&] {
    const auto file = std::make_shared<const data::TokenFile>(request.data);
    LiveState live = open_checkpoint(request.checkpoint, request.device);
    file->check_vocab(live.header.model.vocab);  // its checksum too
    const eval::EvalReport report = score(live, file, request.tokens, request.rows);
    return EvalResult{report.loss,         report.standard_error,
                      report.perplexity(), report.bits_per_byte(file->info().text_bytes_per_token),
                      report.windows,      report.tokens,
                      report.seconds};
  });
}

std::vector<std::int64_t> first_tokens(const data::Tokenizer& tokenizer,
                                       const std::string& prompt) {
  std::vector<std::int32_t> ids = tokenizer.encode(prompt);
  if (ids.empty()) ids = tokenizer.encode("\n");
  if (ids.empty()) ids = {0};
  return {ids.begin(), ids.end()};
}

// Emits what each token adds to the text: a character may need several.
void sample(const SampleRequest& request, const std::function<void(const std::string&)>& emit) {
  at_door([&] {
    LiveState live = open_checkpoint(request.checkpoint, request.device);
    const std::string& spec = live.header.run.tokenizer;
    if (spec.empty())
      throw input_error("{}: does not know its tokenizer, so there is no text to sample",
                        request.checkpoint.string())
          .with_hint("train on token files made by stagedtrain data");
    const auto tokenizer = data::Tokenizer::from_spec(spec, request.checkpoint.string());
    const std::vector<std::int64_t> prompt = first_tokens(*tokenizer, request.prompt);
    for (const std::int64_t id : prompt)
      if (id >= live.header.model.vocab)
        throw input_error("the prompt has a token {} beyond the vocabulary of {}", id,
                          live.header.model.vocab);
    std::vector<std::int32_t> ids(prompt.begin(), prompt.end());
    std::string said = tokenizer->decode(ids);
    const eval::SampleOptions options{request.tokens, request.temperature, request.top_k,
                                      request.seed};
    eval::sample(*live.model, prompt, options, [&](std::int64_t id) {
      ids.push_back(static_cast<std::int32_t>(id));
      const std::string text = tokenizer->decode(ids);
      emit(text.substr(std::min(said.size(), text.size())));
      said = text;
    });
  });
}

VerifyResult verify(const VerifyRequest& request) {
  return at_door([&] {
    constexpr std::int64_t kWindows = 32, kRows = 8;
    const auto file = std::make_shared<const data::TokenFile>(request.data);
    LiveState before = open_checkpoint(request.before, request.device);
    const std::int64_t tokens = kWindows * before.header.model.context;
    const eval::EvalReport first = score(before, file, tokens, kRows);
    before.model.reset();
    LiveState after = open_checkpoint(request.after, request.device);
    return VerifyResult{first.loss, score(after, file, tokens, kRows).loss, first.tokens};
  });
}

RunResult run_at_door(const plan::RunPlan& plan, const RunRequest& request) {
  return at_door([&] { return run(plan, request); });
}

std::vector<plan::Measurement> measure_at_door(
    const plan::RunPlan& plan, const MeasureRequest& request,
    const std::function<void(const std::string&)>& tell) {
  return at_door([&] { return measure(plan, request, tell); });
}

constexpr Engine kEngine{door_stamp(), run_at_door, evaluate, sample, verify, measure_at_door};

}  // namespace
}  // namespace stagedtrain::train

extern "C" const stagedtrain::train::Engine* stagedtrain_engine() {
  return &stagedtrain::train::kEngine;
}
