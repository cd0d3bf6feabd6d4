// Implements `stagedtrain import`: a model in a foreign format becomes a checkpoint.
#include "hub/import.h"

#include <chrono>
#include <memory>

#include "arch/cost.h"
#include "base/stopwatch.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "io/same_file.h"
#include "plan/run_plan.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

struct ImportArguments {
  std::string source, target;
  hub::OpenOptions options;
  std::string dtype = "f32";
  bool force = false, json = false;
};

constexpr const char* kImportFooter = R"(
SOURCE is one of
  a Hugging Face folder   config.json with model.safetensors, or shards and their index;
                          model types gpt2, llama (SmolLM2, TinyLlama), mistral, mixtral, qwen2,
                          qwen3, qwen3_moe, olmo2, olmoe, gpt_neox (Pythia)
  a .gguf file            architectures gpt2, llama, qwen2, qwen3, qwen3moe, olmo2, olmoe, gptneox;
                          weights in F32, F16, BF16, Q8_0, Q4_0, Q4_1
  an llm.c model (.bin)   versions 3 (float32) and 5 (bfloat16)
  nanoGPT's ckpt.pt       convert it to a folder first; the error shows the two lines of Python
                          that do so

The moments of the optimizer begin at zero, as in a fresh run. The model's tokenizer (tokenizer.json
with byte-level BPE, tokenizer.model, a GGUF's own) is kept in the checkpoint. A model that
stagedtrain would compute differently is refused, and the error names the key: sliding windows, rope
types other than linear and llama3, other biases, K-quants. Pickles (.pt, .bin) are never opened.

Examples:
  stagedtrain import SmolLM2-135M/ smol.h5
  stagedtrain import SmolLM2-135M-Instruct.Q4_1.gguf smol.h5 --context 1024
  stagedtrain import gpt2_124M.bin gpt2.h5 --tokenizer tokenizer.json)";

void check_target(const ImportArguments& a) {
  const Path target = a.target, folder = target.parent_path();
  constexpr const char* kWhat = "the model to be imported, or one of its files; an import";
  refuse_own_source(a.source, target, kWhat);
  std::error_code none;
  for (const auto& file : std::filesystem::directory_iterator(a.source, none))
    refuse_own_source(file.path(), target, kWhat);
  refuse_overwrite(target, a.force);
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw usage_error("{}: there is no folder {}", a.target, folder.string());
}

state::DType dtype_of(const ImportArguments& a) {
  if (a.dtype == "f32") return state::DType::f32;
  if (a.dtype == "f64") return state::DType::f64;
  throw usage_error("--dtype '{}': expected f32 or f64", a.dtype);
}

const char* tokenizer_words(const std::string& spec) {
  return spec.empty()          ? "none"
         : spec == "bytes"     ? "bytes"
         : spec.front() == '{' ? "byte-level BPE"
                               : "SentencePiece model";
}

void print_result(const ImportArguments& a, const hub::ForeignModel& source, double seconds) {
  const auto bytes = std::filesystem::file_size(a.target);
  const std::int64_t parameters = arch::count_params(source.model).total;
  if (a.json) {
    const Json json = {{"source", a.source},       {"format", source.format},
                       {"target", a.target},       {"model", plan::to_json(source.model)},
                       {"parameters", parameters}, {"tokenizer", tokenizer_words(source.tokenizer)},
                       {"notes", source.notes},    {"bytes", bytes},
                       {"seconds", seconds}};
    print(json_text(json) + "\n");
    return;
  }
  print(fmt::format(
      "model       {}: {}\nparameters  {}\ntokenizer   {}\nwritten     {}: {} in {}\n",
      source.format, describe(source.model), grouped(parameters), tokenizer_words(source.tokenizer),
      a.target, short_bytes(static_cast<double>(bytes)), short_seconds(seconds)));
  for (const std::string& note : source.notes) print_to_stderr(wrapped(note));
}

void run(const ImportArguments& a) {
  check_target(a);
  const state::DType dtype = dtype_of(a);
  const auto start = std::chrono::steady_clock::now();
  const hub::ForeignModel source = hub::open_foreign_model(a.source, a.options);
  hub::import_model(source, a.target, a.force ? Replace::yes : Replace::no, dtype);
  print_result(a, source, seconds_since(start));
}

}  // namespace

void add_import(CLI::App& app) {
  auto a = std::make_shared<ImportArguments>();
  CLI::App* command = app.add_subcommand(
      "import", "Converts a Hugging Face, GGUF or llm.c model into a checkpoint");
  command->add_option("source", a->source, "a folder, a .gguf or an llm.c model")
      ->required()
      ->type_name("SOURCE");
  command->add_option("out", a->target, "checkpoint to write")->required()->type_name("OUT.h5");
  command
      ->add_option("--tokenizer", a->options.tokenizer_file,
                   "use this tokenizer.json or .model, or 'bytes', instead of the model's own")
      ->type_name("FILE");
  command
      ->add_option("--context", a->options.context,
                   "longest sequence of the checkpoint, in tokens, at most the model's own "
                   "(default: the model's own; not for gpt2)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
  command
      ->add_option("--dtype", a->dtype,
                   "type of the checkpoint: f32, or f64 for training with precision: fp64 "
                   "(default: f32)")
      ->type_name("TYPE");
  command->add_flag("--force", a->force, "replace OUT.h5");
  command->add_flag("--json", a->json, "print the result as JSON");
  command->footer(kImportFooter);
  command->callback([a] { run(*a); });
}

}  // namespace stagedtrain::cmd
