// Implements `stagedtrain eval`: the loss of a checkpoint, its scores on tasks, and text sampled
// from it.
#include <unistd.h>

#include <memory>

#include "cmd/commands.h"
#include "cmd/count_option.h"
#include "cmd/engine.h"
#include "cmd/join.h"
#include "cmd/launch_options.h"
#include "cmd/output.h"
#include "text/counted.h"
#include "text/error_bar.h"
#include "text/json.h"
#include "text/text.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::cmd {
namespace {

struct EvalArguments {
  std::string checkpoint, data, tokens, tokenizer, tasks;
  train::EvalRequest eval;
  train::SampleRequest sample;
  train::DeviceRequest device;
  LaunchOptions launch;
  bool ema = false, json = false;
  bool prints = true;  // this process is the first rank, or the only one
};

constexpr const char* kEvalFooter = R"(
The loss, in nats per token, is the mean over windows of context tokens, which are spread evenly
over the file and always the same; its standard error is over windows, so it needs at least two.
Bits per byte need a file made by 'stagedtrain data', which records the length of its text. The
file must have been made with the tokenizer of the checkpoint; this is checked if both record it.

Tasks are lines {"context": TEXT, "continuations": [TEXT, ...], "gold": INDEX from 0}, or {"text":
TEXT} to predict its last word. They are scored as in lm-evaluation-harness. Of several
continuations, the one with the highest log-likelihood is chosen (acc), or the one with the highest
log-likelihood per character (acc_norm) or per byte (acc_bytes), not counting the one space before
it. Of a single continuation (last word), every token must be the model's first choice (acc), and
perplexity is exp of minus the mean log-likelihood. Continuations include the space before them;
context and continuation are encoded together, without a token before them; a text that is longer
than the model's context loses its beginning. --json adds the log-likelihood of every continuation.

The same seed gives the same text. Sampling keeps the keys and values of earlier tokens, so that a
token takes one pass over the weights; beyond the context, the last tokens are read again for each
new token, which is slower. Temperature 0 always takes the likeliest token. A checkpoint that was
trained on files without a header does not record its tokenizer: give --tokenizer, or the sample is
printed as token ids, and --prompt is read as token ids ("17 4 256").

--processes N divides windows and tasks among N processes on this machine, and prints bit for bit
the numbers of one process; torchrun --no-python and srun start the command on several machines
(docs/cluster.md). --threads is for each process. One of them writes the sample. A model that is too
large for one process is scored with --sharding full. If a process is lost, all others exit with
code 6.

Examples:
  stagedtrain eval runs/first/stages/full.h5 --data data/book/validation.bin
  stagedtrain eval runs/first/stages/full.h5 --data data/book/validation.bin --tokens 64K --json
  stagedtrain eval runs/first/stages/full.h5 --data data/book/validation.bin --processes 4
  stagedtrain eval runs/first/stages/full.h5 --tasks arc.jsonl
  stagedtrain eval runs/first/stages/full.h5 --sample 300 --prompt "Light" --temperature 0.8)";

constexpr const char* kLossy =
    " (too low: the tokenizer drops or rewrites part of the text, whose bytes are counted)";

Json loss_json(const train::EvalResult& r) {
  return {{"loss", r.loss},
          {"stderr", r.standard_error},  // NaN becomes null
          {"perplexity", r.perplexity},
          {"bits_per_byte", r.bits_per_byte > 0 ? Json(r.bits_per_byte) : Json(nullptr)},
          {"lossy_tokenizer", r.lossy},
          {"windows", r.windows},
          {"tokens", r.tokens},
          {"seconds", r.seconds}};
}

std::string loss_text(const train::EvalResult& r) {
  std::string text = fmt::format("loss           {} nats per token\nperplexity     {:.4f}\n",
                                 with_error(r.loss, r.standard_error, 5), r.perplexity);
  text += r.bits_per_byte > 0
              ? fmt::format("bits per byte  {:.5f}{}\n", r.bits_per_byte, r.lossy ? kLossy : "")
              : "bits per byte  unknown: the file does not record the length of its text\n";
  return text + fmt::format("over           {} tokens in {} window{}, {}\n", grouped(r.tokens),
                            grouped(r.windows),
                            r.windows == 1 ? ": the error of a single one is unknown" : "s",
                            short_seconds(r.seconds));
}

void score(EvalArguments& a, Json& json) {
  a.eval.checkpoint = a.checkpoint;
  a.eval.data = a.data;
  a.eval.device = a.device;
  a.eval.ema = a.ema;
  const train::EvalResult result = engine().evaluate(a.eval);
  if (!a.prints) return;
  for (const std::string& note : {result.taken_for, result.warning})
    if (!note.empty()) print_to_stderr(fmt::format("{}: {}\n", a.data, note));
  if (a.json) {
    json = loss_json(result);
  } else {
    print(loss_text(result));
  }
}

Json tasks_json(const train::TaskResult& r) {
  Json json = {{"seconds", r.seconds}};
  if (r.choices > 0)
    json["multiple_choice"] = {
        {"examples", r.choices},      {"acc", r.acc},
        {"acc_stderr", r.acc_stderr},  // NaN becomes null
        {"acc_norm", r.acc_norm},     {"acc_norm_stderr", r.acc_norm_stderr},
        {"acc_bytes", r.acc_bytes},   {"acc_bytes_stderr", r.acc_bytes_stderr}};
  if (r.last_words > 0)
    json["last_word"] = {{"examples", r.last_words},
                         {"acc", r.exact},
                         {"acc_stderr", r.exact_stderr},
                         {"perplexity", r.perplexity}};
  json["log_likelihoods"] = r.log_likelihoods;
  return json;
}

std::string share_line(const char* name, double value, double error) {
  return fmt::format("  {:<12} {}\n", name, with_error(value, error, 4));
}

std::string tasks_text(const train::TaskResult& r) {
  std::string text;
  if (r.choices > 0)
    text += fmt::format("multiple choice, {}\n", counted(r.choices, "example")) +
            share_line("acc", r.acc, r.acc_stderr) +
            share_line("acc_norm", r.acc_norm, r.acc_norm_stderr) +
            share_line("acc_bytes", r.acc_bytes, r.acc_bytes_stderr);
  if (r.last_words > 0)
    text += fmt::format("last word, {}\n", counted(r.last_words, "example")) +
            share_line("acc", r.exact, r.exact_stderr) +
            fmt::format("  {:<12} {:.4f}\n", "perplexity", r.perplexity);
  return text;
}

void solve_tasks(EvalArguments& a, Json& json) {
  train::TaskRequest request{a.checkpoint, a.tasks, {}, a.ema, a.device};
  request.tokenizer = a.tokenizer;
  const train::TaskResult result = engine().score_tasks(request);
  if (!a.prints) return;
  if (a.json) {
    json["tasks"] = tasks_json(result);
  } else {
    print(tasks_text(result));
  }
}

void write_text(EvalArguments& a, Json& json) {
  a.sample.checkpoint = a.checkpoint;
  a.sample.device = a.device;
  a.sample.ema = a.ema;
  a.sample.tokenizer = a.tokenizer;
  std::string text;
  // A pipe gets the model's bytes unchanged. On a terminal, control characters from the model or
  // the prompt must not take effect.
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const train::SampleUnit unit = engine().sample(a.sample, [&](const std::string& piece) {
    text += piece;
    if (a.json) return;
    if (terminal) {
      print(piece);
    } else {
      print_bytes(piece);
    }
  });
  if (!a.prints) return;
  const bool ids = unit == train::SampleUnit::ids;
  if (a.json) {
    json["sample"] = text;
    json["sample_unit"] = ids ? "ids" : "text";
  } else {
    print("\n");
  }
  if (ids)
    print_to_stderr(
        fmt::format("{}: does not record its tokenizer, so these are token ids; --tokenizer bytes "
                    "or --tokenizer FILE.model prints text\n",
                    a.checkpoint));
}

// Reads the options that more than one process would otherwise find wrong half-way.
void check(EvalArguments& a) {
  if (a.data.empty() && a.tasks.empty() && a.sample.tokens == 0)
    throw usage_error(
        "nothing to do: give --data TOKENS for the loss, --tasks FILE for tasks, or --sample N for "
        "text");
  if (!a.tokens.empty()) {
    const auto count = parse_count(a.tokens);
    if (!count || *count < 1)
      throw usage_error("--tokens is '{}', expected a count of at least 1 (such as 65536 or 64K)",
                        a.tokens);
    a.eval.tokens = *count;
  }
  if (a.launch.sharding == "full" && (!a.tasks.empty() || a.sample.tokens > 0 || a.ema))
    throw usage_error("--sharding full: works with --data, but not with --tasks, --sample or --ema")
        .with_hint("give them in a command without it");
  if (!a.tokenizer.empty()) a.tokenizer = data::read_tokenizer_spec(a.tokenizer);
}

void run(EvalArguments& a) {
  export_rank_options(a.launch);
  const bool launches = !a.launch.processes.empty() && !is_launched();
  if (!launches) a.prints = join_ranks(a.device);
  check(a);
  if (launches) return launch(a.launch);
  Json json = Json::object();
  if (!a.data.empty()) score(a, json);
  if (!a.tasks.empty()) solve_tasks(a, json);
  if (a.sample.tokens > 0) write_text(a, json);
  if (a.json && a.prints) print(json_text(json) + "\n");
}

void add_sample_options(CLI::App& command, train::SampleRequest& sample) {
  add_count(command, "--sample", "write this many tokens of text", "N", 1, std::int64_t{1} << 24,
            sample.tokens);
  command.add_option("--prompt", sample.prompt, "text that the sample continues")
      ->type_name("TEXT");
  const auto read_temperature = [&value = sample.temperature](const std::string& text) {
    const auto number = parse_number(text);
    if (!number || !(*number >= 0 && *number <= 100))
      throw usage_error("--temperature: found '{}', expected a number from 0 to 100, such as 0.8",
                        text);
    value = *number;
  };
  command
      .add_option_function<std::string>(
          "--temperature", read_temperature,
          "temperature, 0 to 100; 0 always takes the likeliest token (default: 0.8)")
      ->type_name("T");
  add_count(command, "--top-k", "sample from only the K likeliest tokens (default: 0, all)", "K", 0,
            std::int64_t{1} << 30, sample.top_k);
  add_count(command, "--seed", "seed of the sample (default: 1)", "N", 0, kMostSeed, sample.seed);
}

}  // namespace

void add_eval(CLI::App& app) {
  auto a = std::make_shared<EvalArguments>();
  CLI::App* command =
      app.add_subcommand("eval", "Scores a checkpoint on tokens or tasks, or samples text from it");
  command->add_option("checkpoint", a->checkpoint, "a checkpoint")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_option("--data", a->data, "token file to score it on")->type_name("TOKENS");
  command->add_option("--tokens", a->tokens, "score on about this many tokens (default: all)")
      ->type_name("COUNT");
  command
      ->add_option("--tasks", a->tasks,
                   "tasks as JSON lines: multiple choice or last words (see below)")
      ->type_name("FILE.jsonl");
  add_sample_options(*command, a->sample);
  command
      ->add_option("--tokenizer", a->tokenizer,
                   "tokenizer of --sample and --tasks, for a checkpoint that does not record its "
                   "own: bytes, or a file that 'stagedtrain data' accepts")
      ->type_name("bytes|FILE");
  command->add_flag("--ema", a->ema,
                    "use the moving average of the weights, which a run with ema keeps");
  add_device_options(*command, a->device);
  add_launch_options(*command, "score", a->launch);
  command
      ->add_option("--sharding", a->launch.sharding,
                   "none, or full: with --data, each process holds a part of the model, on CPUs "
                   "(default: none)")
      ->type_name("KIND")
      ->check(CLI::IsMember({"none", "full"}));
  command->add_flag("--json", a->json, "print the results as JSON");
  command->footer(kEvalFooter);
  command->callback([a] { run(*a); });
}

}  // namespace stagedtrain::cmd
