// Detects the format of a foreign model, opens it, and checks its tensors against its
// configuration.
#include "hub/foreign_model.h"

#include <algorithm>
#include <set>

#include "arch/architectures.h"
#include "base/error.h"
#include "foreign/gguf_config.h"
#include "foreign/gguf_tokenizer.h"
#include "foreign/hf_config.h"
#include "foreign/rope_factors.h"
#include "modelfiles/hf_folder.h"
#include "modelfiles/llmc.h"
#include "text/strict_json.h"
#include "text/text.h"
#include "tokenizers/tokenizer.h"
#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::hub {
namespace {

constexpr std::uint64_t kMostConfigBytes = std::uint64_t{16} << 20;

// Returns whether a tensor can be ignored: causal masks and rotary frequencies of older files, and
// a stored copy of a tied head.
bool holds_no_weights(const std::string& name, bool tied) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with(".attention.bias") || name.ends_with(".attention.masked_bias") ||
         name.ends_with(".rotary_emb.inv_freq") ||
         (tied &&
          (name == "lm_head.weight" || name == "embed_out.weight" || name == "output.weight"));
}

// Runs before the parameter table is built, because a few numbers in the header decide its size.
void check_counts(const ForeignModel& found) {
  constexpr std::int64_t kMostExperts = 1 << 20;  // over all layers
  const auto stored = static_cast<std::int64_t>(found.tensors.all().size());
  if (found.model.layers > stored || found.model.layers * found.model.experts > kMostExperts)
    throw input_error("{}: has {} tensors, too few for {}", found.tensors.where(), stored,
                      describe(found.model));
}

void check_tensors(const ForeignModel& found) {
  check_counts(found);
  std::set<std::string> needed;
  for (const MappedTensor& mapped : map_tensors(*found.names, found.model)) {
    const StoredTensor& stored = found.tensors.at(mapped.name);
    const std::string where = fmt::format("{}: tensor '{}'", found.tensors.where(), mapped.name);
    if (stored.shape != mapped.shape)
      throw input_error("{}: its shape is {}, expected {}", where, shape_text(stored.shape),
                        shape_text(mapped.shape));
    if (stored.element == Element::other)
      throw input_error("{}: its type is {}, expected F32, F16, BF16 or F64", where, stored.type);
    needed.insert(mapped.name);
  }
  for (const auto& [name, stored] : found.tensors.all())
    if (!needed.contains(name) && !holds_no_weights(name, found.model.tied))
      throw input_error("{}: holds the tensor '{}', which is not part of {}", found.tensors.where(),
                        printable(name), describe(found.model));
}

// Shortens the context. A model with rotary positions works at any length up to the one that it was
// trained for.
void shorten_context(arch::ModelConfig& model, std::int64_t context) {
  if (!arch::block_style(model).rotary && context != model.context)
    throw usage_error("--context {}: gpt2 has a learned vector for each of its {} positions",
                      context, model.context);
  if (context > model.context)
    throw usage_error("--context {}: expected at most the model's own, {}", context,
                      model.context);
  model.context = context;
}

// Adds "transformer." to tensor names, which the original GPT-2 files lack.
StoredTensors with_prefix(StoredTensors tensors) {
  const bool bare = tensors.find("wte.weight") && !tensors.find("transformer.wte.weight");
  if (bare) tensors.add_prefix("transformer.", {"lm_head.weight"});
  return tensors;
}

// ---- Tokenizers.

// Returns the id under this key of config.json, or -1. Of a list, the first id counts.
std::int32_t special_id(const SortedJson& config, const char* key, std::int64_t vocab) {
  const auto found = config.find(key);
  if (found == config.end() || (found->is_array() && found->empty())) return -1;
  const SortedJson& id = found->is_array() ? (*found)[0] : *found;
  const bool sound = id.is_number_unsigned() && id.get<std::uint64_t>() < static_cast<std::uint64_t>(vocab);
  return sound ? id.get<std::int32_t>() : -1;
}

// Adds the ids of special tokens, which config.json names and tokenizer.json does not.
std::string with_ids(const std::string& spec, const SortedJson& config) {
  if (!data::is_tokenizer_json(spec)) return spec;
  const std::int64_t vocab = data::parse_tokenizer_json(spec, "tokenizer.json").vocab();
  return data::with_special_ids(spec, special_id(config, "bos_token_id", vocab),
                                special_id(config, "eos_token_id", vocab),
                                special_id(config, "pad_token_id", vocab));
}

// Returns the tokenizer of a folder. If it is not supported, adds a note and returns "".
std::string folder_tokenizer(const Path& folder, std::vector<std::string>& notes) {
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    const std::string path = (folder / name).string();
    if (!std::filesystem::exists(path)) continue;
    try {
      std::string spec = data::read_tokenizer_spec(path);
      data::Tokenizer::from_spec(spec, path);
      return spec;
    } catch (const Error& error) {
      notes.push_back(fmt::format("The tokenizer was left out: {}.", error.what()));
    }
  }
  return "";
}

void choose_tokenizer(ForeignModel& found, const std::string& file) {
  if (!file.empty()) found.tokenizer = data::read_tokenizer_spec(file);
  if (found.tokenizer.empty()) {
    found.notes.push_back(
        "The model has no tokenizer; give one with --tokenizer, or the checkpoint cannot sample "
        "text.");
    return;
  }
  const std::string where = file.empty() ? found.tensors.where() : file;
  const std::int64_t ids = data::Tokenizer::from_spec(found.tokenizer, where)->vocab();
  if (ids > found.model.vocab)
    throw input_error("{}: the tokenizer has {} ids, the model's vocabulary is {}", where, ids,
                      found.model.vocab);
}

// ---- Formats.

ForeignModel open_folder(const Path& folder) {
  const std::string where = (folder / kHfConfig).string();
  const SortedJson json = parse_strict_json(read_text_file(where, kMostConfigBytes), where);
  const HubConfig config = read_hf_config(json, where);
  ForeignModel found{"Hugging Face " + config.model.architecture, config.model, config.names,
                     read_hf_weights(folder), "", {}};
  if (config.model.architecture == "gpt2") found.tensors = with_prefix(std::move(found.tensors));
  if (!config.unknown_keys.empty())
    found.notes.push_back(
        "Unknown keys of config.json were ignored: " + join(config.unknown_keys, ", ") + ".");
  if (config.names == &nanogpt_names())
    found.notes.push_back(
        "nanoGPT computes GELU with the error function, gpt2 here with tanh; losses differ by "
        "about "
        "1e-4.");
  found.tokenizer = with_ids(folder_tokenizer(folder, found.notes), json);
  return found;
}

// Returns whether a GGUF has no head of its own, or the embedding once more as its head.
bool is_tied(const std::vector<StoredTensor>& tensors) {
  const auto head = std::ranges::find(tensors, "output.weight", &StoredTensor::name),
             embed = std::ranges::find(tensors, "token_embd.weight", &StoredTensor::name);
  if (head == tensors.end()) return true;
  return embed != tensors.end() && head->element == embed->element && head->shape == embed->shape &&
         std::ranges::equal(head->bytes, embed->bytes);
}

// Moves the rope scaling from its tensor, which only a llama GGUF has, into the configuration.
void take_rope_factors(std::vector<StoredTensor>& tensors, arch::ModelConfig& model,
                       const std::string& where) {
  const auto stored = std::ranges::find(tensors, kRopeFactors, &StoredTensor::name);
  if (stored == tensors.end() || model.architecture != "llama") return;
  if (model.rope_scaling != "none")
    throw input_error("{}: has {} and the rope scaling '{}', expected only one of them", where,
                      kRopeFactors, model.rope_scaling);
  if (stored->element != Element::f32)
    throw input_error("{}: {} has the type {}, expected F32", where, kRopeFactors, stored->type);
  std::vector<float> factors(stored->bytes.size() / sizeof(float));
  decode(stored->element, stored->bytes, factors);
  set_rope_factors(factors, model, where);
  tensors.erase(stored);
}

ForeignModel open_gguf(const Path& path, std::shared_ptr<const MappedFile> file) {
  GgufFile gguf = read_gguf(path, *file);
  HubConfig config = read_gguf_config(gguf.keys, is_tied(gguf.tensors));
  take_rope_factors(gguf.tensors, config.model, path.string());
  ForeignModel found{"GGUF", config.model, config.names, StoredTensors(path.string()), "", {}};
  found.tensors.add(std::move(file), std::move(gguf.tensors));
  try {
    found.tokenizer = gguf_tokenizer(gguf.keys);
  } catch (const Error& error) {
    found.notes.push_back(fmt::format("The tokenizer was left out: {}.", error.what()));
  }
  return found;
}

ForeignModel open_llmc(const Path& path, std::shared_ptr<const MappedFile> file) {
  LlmcModel llmc = read_llmc(path, *file);
  ForeignModel found{"llm.c", llmc.model, &llmc_names(), StoredTensors(path.string()), "", {}};
  found.tensors.add(std::move(file), std::move(llmc.tensors));
  return found;
}

bool begins_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()), text.size()) == text;
}

[[noreturn]] void refuse_file(const Path& path, std::span<const std::byte> bytes) {
  const bool pickle = bytes.size() > 1 && bytes[0] == std::byte{0x80} && bytes[1] >= std::byte{2} &&
                      bytes[1] <= std::byte{5};  // its protocol
  if (pickle || begins_with(bytes, "PK\x03\x04"))
    throw input_error(
        "{}: is a pickle (.pt, .bin), which can run arbitrary code and is never opened",
        path.string())
        .with_hint(
            "if you trust it and it is nanoGPT's, these two lines of Python convert it; then "
            "import "
            "the folder:\n  import json, os, torch, safetensors.torch as st; c = "
            "torch.load('ckpt.pt', 'cpu'); os.mkdir('folder'); json.dump({'model_type': 'nanogpt', "
            "**c['model_args']}, open('folder/config.json', 'w'))\n  "
            "st.save_file({k.removeprefix('_orig_mod.'): v.clone() for k, v in "
            "c['model'].items()}, 'folder/model.safetensors')");
  if (path.extension() == ".safetensors")
    throw input_error("{}: a .safetensors file holds no configuration", path.string())
        .with_hint("give the folder that holds it and config.json");
  throw input_error("{}: expected a Hugging Face folder, a GGUF file or an llm.c model",
                    path.string());
}

ForeignModel open_kind(const Path& source) {
  if (std::filesystem::is_directory(source)) return open_folder(source);
  auto file = std::make_shared<const MappedFile>(source);
  if (begins_with(file->bytes(), "GGUF")) return open_gguf(source, std::move(file));
  if (is_llmc(file->bytes())) return open_llmc(source, std::move(file));
  refuse_file(source, file->bytes());
}

}  // namespace

bool is_foreign_model(const Path& source) {
  std::error_code none;
  if (std::filesystem::is_directory(source, none))
    return std::filesystem::exists(source / "config.json", none);
  if (!std::filesystem::is_regular_file(source, none) ||
      std::filesystem::file_size(source, none) == 0)
    return false;
  const MappedFile file(source);
  return begins_with(file.bytes(), "GGUF") || is_llmc(file.bytes());
}

ForeignModel open_foreign_model(const Path& source, const OpenOptions& options) try {
  ForeignModel found = open_kind(source);
  if (options.context > 0) shorten_context(found.model, options.context);
  check_tensors(found);
  choose_tokenizer(found, options.tokenizer_file);
  return found;
} catch (const Json::exception& error) {  // tokens become JSON, which must be UTF-8
  throw input_error("{}: holds text that is not UTF-8: {}", source.string(), error.what());
}

}  // namespace stagedtrain::hub
