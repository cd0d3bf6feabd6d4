// Implements `stagedtrain export`: writes a checkpoint's model in a format that other programs
// read.
#include "hub/export.h"

#include <chrono>
#include <map>
#include <memory>

#include "arch/cost.h"
#include "base/stopwatch.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "io/same_file.h"
#include "plan/run_plan.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

struct ExportArguments {
  std::string checkpoint, target, format, dtype = "f32", shard_size = "5G";
  bool force = false, ema = false, json = false;
};

constexpr const char* kExportFooter = R"(
  --to hf     a folder that transformers can open: AutoModelForCausalLM.from_pretrained and
              AutoTokenizer; config.json, safetensors, tokenizer.json
  --to gguf   a file that llama.cpp runs
  --to llmc   a model file of llm.c, version 3 (f32) or 5 (bf16); gpt2 with a tied head only

Only the weights are written (with --ema their average), not the moments; the checkpoint does not
change. Rows of a padded vocabulary that belong to no token are left out. In a GGUF, norms and
biases stay float32, whatever --dtype says. The folder or file appears whole or not at all.

--shard-size is in bytes: 5G, 500M, 1Gi. Each shard holds at most this much, or a single tensor.

Examples:
  stagedtrain export runs/first/stages/full.h5 full-hf --to hf --dtype bf16
  stagedtrain export runs/first/stages/full.h5 full.gguf --to gguf --dtype q8_0
  stagedtrain export gpt2.h5 gpt2_124M.bin --to llmc)";

hub::ExportOptions options_of(const ExportArguments& a) {
  static const std::map<std::string, hub::ExportFormat> kFormats = {
      {"hf", hub::ExportFormat::hf},
      {"gguf", hub::ExportFormat::gguf},
      {"llmc", hub::ExportFormat::llmc}};
  static const std::map<std::string, hub::Element> kElements = {{"f32", hub::Element::f32},
                                                                {"f16", hub::Element::f16},
                                                                {"bf16", hub::Element::bf16},
                                                                {"q8_0", hub::Element::q8_0}};
  const auto format = kFormats.find(a.format);
  if (format == kFormats.end())
    throw usage_error("--to '{}'{}", a.format, suggestion(a.format, {"hf", "gguf", "llmc"}));
  const auto element = kElements.find(a.dtype);
  if (element == kElements.end())
    throw usage_error("--dtype '{}'{}", a.dtype,
                      suggestion(a.dtype, {"f32", "f16", "bf16", "q8_0"}));
  const auto bytes = parse_count(a.shard_size);
  if (!bytes || *bytes < 1)
    throw usage_error("--shard-size is '{}', expected a count of bytes, such as 5G or 500M",
                      a.shard_size);
  return {format->second, element->second, static_cast<std::uint64_t>(*bytes), a.force,
          a.ema ? state::TensorKind::ema : state::TensorKind::weights};
}

void print_result(const ExportArguments& a, const hub::ExportResult& result, double seconds) {
  const std::int64_t parameters = arch::count_params(result.model).total;
  if (a.json) {
    const Json json = {{"checkpoint", a.checkpoint},
                       {"target", a.target},
                       {"format", a.format},
                       {"dtype", a.dtype},
                       {"model", plan::to_json(result.model)},
                       {"parameters", parameters},
                       {"files", result.files},
                       {"notes", result.notes},
                       {"bytes", result.bytes},
                       {"seconds", seconds}};
    print(json_text(json) + "\n");
    return;
  }
  print(fmt::format("model       {}\nparameters  {}, as {}\nwritten     {}: {} in {}, {}\n",
                    describe(result.model), grouped(parameters), a.dtype, a.target,
                    short_bytes(static_cast<double>(result.bytes)),
                    counted(std::ssize(result.files), "file"), short_seconds(seconds)));
  for (const std::string& note : result.notes) print_to_stderr(wrapped(note));
}

void run(const ExportArguments& a) {
  const hub::ExportOptions options = options_of(a);
  const auto start = std::chrono::steady_clock::now();
  const state::CheckpointReader from(a.checkpoint);
  if (a.target.empty())
    throw usage_error("OUT is empty, expected the name of a folder or file to write");
  refuse_own_source(a.checkpoint, a.target, "the checkpoint to be exported; an export");
  const Path folder = Path(a.target).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw usage_error("{}: there is no folder {}", a.target, folder.string());
  const hub::ExportResult result = hub::export_model(from, a.target, options);
  print_result(a, result, seconds_since(start));
}

}  // namespace

void add_export(CLI::App& app) {
  auto a = std::make_shared<ExportArguments>();
  CLI::App* command = app.add_subcommand(
      "export", "Converts a checkpoint into a Hugging Face, GGUF or llm.c model");
  command->add_option("checkpoint", a->checkpoint, "a checkpoint")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_option("out", a->target, "folder (hf) or file to write")
      ->required()
      ->type_name("OUT");
  command->add_option("--to", a->format, "the format: hf, gguf or llmc")
      ->required()
      ->type_name("FORMAT");
  command
      ->add_option("--dtype", a->dtype,
                   "type of the weights: f32, f16, bf16, or q8_0 in a GGUF (default: f32)")
      ->type_name("TYPE");
  command
      ->add_option("--shard-size", a->shard_size,
                   "maximum bytes of weights in one file of a folder (default: 5G)")
      ->type_name("BYTES");
  command->add_flag("--ema", a->ema,
                    "write the moving average of the weights, which a run with ema keeps");
  command->add_flag("--force", a->force, "replace OUT");
  command->add_flag("--json", a->json, "print the result as JSON");
  command->footer(kExportFooter);
  command->callback([a] { run(*a); });
}

}  // namespace stagedtrain::cmd
