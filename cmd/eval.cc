// `stagedtrain eval`: the loss of a checkpoint, and text that it writes.
#include <memory>

#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/engine.h"
#include "cmd/output.h"

namespace stagedtrain::cmd {
namespace {

struct EvalArguments {
  std::string checkpoint, data, tokens;
  train::EvalRequest eval;
  train::SampleRequest sample;
  train::DeviceRequest device;
  bool json = false;
};

constexpr const char* kFooter = R"(
The loss is the mean over windows of context tokens, spread evenly over the file and always the same,
in nats per token; its standard error is over windows. Bits per byte need a file made by
'stagedtrain data', which knows the length of its text.

The same seed writes the same text. Temperature 0 takes the likeliest token each time.

Examples:
  stagedtrain eval runs/first/stages/full.h5 --data data/book/validation.bin
  stagedtrain eval runs/first/stages/full.h5 --data data/book/validation.bin --tokens 64K --json
  stagedtrain eval runs/first/stages/full.h5 --sample 300 --prompt "Light" --temperature 0.8)";

Json loss_json(const train::EvalResult& r) {
  return {{"loss", r.loss},
          {"stderr", r.standard_error},
          {"perplexity", r.perplexity},
          {"bits_per_byte", r.bits_per_byte > 0 ? Json(r.bits_per_byte) : Json(nullptr)},
          {"windows", r.windows},
          {"tokens", r.tokens},
          {"seconds", r.seconds}};
}

std::string loss_text(const train::EvalResult& r) {
  std::string text =
      fmt::format("loss           {:.5f} ± {:.5f} nats per token\nperplexity     {:.4f}\n", r.loss,
                  r.standard_error, r.perplexity);
  text += r.bits_per_byte > 0 ? fmt::format("bits per byte  {:.5f}\n", r.bits_per_byte)
                              : "bits per byte  unknown: the file does not know its text\n";
  return text + fmt::format("over           {} tokens in {} windows, {}\n", grouped(r.tokens),
                            grouped(r.windows), short_seconds(r.seconds));
}

void score(EvalArguments& a, Json& json) {
  if (!a.tokens.empty()) {
    const auto count = parse_count(a.tokens);
    if (!count || *count < 1)
      throw usage_error("--tokens is '{}', expected a count of at least 1 (as 65536 or 64K)",
                        a.tokens);
    a.eval.tokens = *count;
  }
  a.eval.checkpoint = a.checkpoint;
  a.eval.data = a.data;
  a.eval.device = a.device;
  const train::EvalResult result = engine().evaluate(a.eval);
  if (a.json) {
    json = loss_json(result);
  } else {
    print(loss_text(result));
  }
}

void write_text(EvalArguments& a, Json& json) {
  a.sample.checkpoint = a.checkpoint;
  a.sample.device = a.device;
  std::string text = a.sample.prompt;
  if (!a.json) print_bytes(text);
  engine().sample(a.sample, [&](const std::string& piece) {
    text += piece;
    if (a.json) return;
    print_bytes(piece);
  });
  if (a.json) {
    json["sample"] = text;
  } else {
    print("\n");
  }
}

void run(EvalArguments& a) {
  if (a.data.empty() && a.sample.tokens == 0)
    throw usage_error(
        "nothing to do: give --data TOKENS for the loss, --sample N for text, or both");
  Json json = Json::object();
  if (!a.data.empty()) score(a, json);
  if (a.sample.tokens > 0) write_text(a, json);
  if (a.json) print(json_text(json) + "\n");
}

void add_sample_options(CLI::App& command, train::SampleRequest& sample) {
  command.add_option("--sample", sample.tokens, "write this many tokens of text")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
  command.add_option("--prompt", sample.prompt, "text that the sample goes on from")
      ->type_name("TEXT");
  command
      .add_option("--temperature", sample.temperature,
                  "above 0, how freely tokens are chosen (default: 0.8)")
      ->type_name("T")
      ->check(CLI::Range(0.0, 100.0));
  command.add_option("--top-k", sample.top_k, "only the K likeliest tokens (default: 0, all)")
      ->type_name("K")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 30));
  command.add_option("--seed", sample.seed, "of the sample (default: 1)")->type_name("N");
}

}  // namespace

void add_eval(CLI::App& app) {
  auto a = std::make_shared<EvalArguments>();
  CLI::App* command =
      app.add_subcommand("eval", "Scores a checkpoint on a token file, or writes text with it");
  command->add_option("checkpoint", a->checkpoint, "a checkpoint")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_option("--data", a->data, "token file to score it on")->type_name("TOKENS");
  command->add_option("--tokens", a->tokens, "score on about this many tokens (default: all)")
      ->type_name("COUNT");
  add_sample_options(*command, a->sample);
  add_device_options(*command, a->device);
  command->add_flag("--json", a->json, "print the results as JSON");
  command->footer(kFooter);
  command->callback([a] { run(*a); });
}

}  // namespace stagedtrain::cmd
