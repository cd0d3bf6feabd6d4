// Maps the keys of ggml's architectures to ModelConfig and back.
#include "foreign/gguf_config.h"

#include <algorithm>
#include <set>

#include "arch/architectures.h"
#include "arch/rotary.h"
#include "base/error.h"
#include "modelfiles/checked_config.h"
#include "text/text.h"

namespace stagedtrain::hub {
namespace {

void refuse_unknown(const GgufKeys& keys, const std::string& prefix,
                    const std::set<std::string>& known) {
  for (const std::string& key : keys.beginning_with(prefix))
    if (!known.contains(key.substr(prefix.size())))
      throw input_error("{}: the key {} is not supported", keys.where(), printable(key))
          .with_hint("it may change what the model computes, so the file is not read without it");
}

std::int64_t vocab_of(const GgufKeys& keys, const std::string& prefix) {
  const auto tokens = static_cast<std::int64_t>(keys.texts("tokenizer.ggml.tokens").size());
  return keys.count(prefix + "vocab_size", tokens);
}

// An architecture's name in this project and in ggml, which prefixes its keys with it. Where
// experts is false, the model has none. norm_topk is what ggml does with the gates of experts.
struct GgufArchitecture {
  const char *own, *theirs;
  bool experts = false, dense = true, norm_topk = true;
};
constexpr GgufArchitecture kArchitectures[] = {
    {"gpt2", "gpt2"},    {"llama", "llama", true},
    {"qwen2", "qwen2"},  {"qwen3", "qwen3"},
    {"olmo2", "olmo2"},  {"qwen3", "qwen3moe", true, false},
    {"neox", "gptneox"}, {"olmoe", "olmoe", true, false, false}};

// Returns ggml's architecture for a model. Throws Error(usage) if there is none.
const GgufArchitecture& architecture_of(const arch::ModelConfig& m) {
  const auto found = std::ranges::find_if(kArchitectures, [&](const GgufArchitecture& one) {
    return m.architecture == one.own && (m.experts > 0 ? one.experts : one.dense);
  });
  if (found == std::end(kArchitectures))
    throw usage_error("model.experts is {}: a {} GGUF has {}", m.experts, m.architecture,
                      m.experts > 0 ? "none" : "some");
  if (m.norm_topk != (m.experts == 0 || found->norm_topk))
    throw usage_error("model.norm_topk is {}: the gates of a GGUF of {} {} up to 1", m.norm_topk,
                      found->theirs, m.norm_topk ? "do not add" : "add");
  if (m.architecture == "olmoe" && m.kv_heads != m.heads)
    throw usage_error(
        "model.kv_heads is {}, expected {} as model.heads: llama.cpp reads norms of an olmoe "
        "GGUF's "
        "keys that are as long as those of its queries",
        m.kv_heads, m.heads);
  return *found;
}

const char* eps_key(const arch::ModelConfig& model) {
  return arch::block_style(model).biases ? "attention.layer_norm_epsilon"
                                         : "attention.layer_norm_rms_epsilon";
}

void read_rope(const GgufKeys& keys, const std::string& p, arch::ModelConfig& model) {
  model.rope_theta = keys.number(p + "rope.freq_base", 1e4);
  const std::string scaling = keys.text(p + "rope.scaling.type", "none");
  if (scaling != "none" && scaling != "linear")
    throw input_error("{}: {}rope.scaling.type is '{}', expected none or linear", keys.where(), p,
                      printable(scaling));
  model.rope_scaling = scaling;
  if (scaling == "linear") model.rope_factor = keys.number(p + "rope.scaling.factor", 1);
}

// Reads how much of a head rotates. Requires the head's size to be known.
void read_share(const GgufKeys& keys, const std::string& p, arch::ModelConfig& model) {
  const std::int64_t whole = model.head_dim > 0 ? model.head_dim : model.width / model.heads;
  const std::int64_t turned = keys.count(p + "rope.dimension_count", whole);
  if (turned == whole) return;
  if (model.architecture != "neox" || turned > whole)
    throw input_error("{}: {}rope.dimension_count is {}, expected {} (all of a head)", keys.where(),
                      p, turned, whole);
  model.rotary_share = static_cast<double>(turned) / static_cast<double>(whole);
}

void read_experts(const GgufKeys& keys, const std::string& p, const GgufArchitecture& architecture,
                  arch::ModelConfig& model) {
  model.experts = keys.count(p + "expert_count", 0);
  if (!architecture.dense && model.experts == 0)
    throw input_error("{}: {}expert_count is missing or 0", keys.where(), p);
  if (model.experts == 0) return;
  model.experts_per_token = keys.count(p + "expert_used_count");
  model.norm_topk = architecture.norm_topk;
  model.ffn = keys.count(p + "expert_feed_forward_length", model.ffn);
}

HubConfig read_architecture(const GgufKeys& keys, const GgufArchitecture& architecture, bool tied) {
  const std::string p = std::string(architecture.theirs) + ".";
  std::set<std::string> known = {
      "context_length",          "embedding_length", "block_count",
      "feed_forward_length",     "vocab_size",       "attention.head_count",
      "attention.head_count_kv", "attention.causal"};
  arch::ModelConfig model;
  model.architecture = architecture.own;
  const bool rotary = arch::block_style(model).rotary, experts = architecture.experts;
  known.insert(eps_key(model));
  if (rotary)
    known.insert({"attention.key_length", "attention.value_length", "rope.dimension_count",
                  "rope.freq_base", "rope.scaling.type", "rope.scaling.factor",
                  "tensor_data_layout"});
  if (model.architecture == "neox") known.insert("use_parallel_residual");
  if (experts) known.insert({"expert_count", "expert_used_count", "expert_feed_forward_length"});
  refuse_unknown(keys, p, known);
  model.layers = keys.count(p + "block_count");
  model.width = keys.count(p + "embedding_length");
  model.heads = keys.count(p + "attention.head_count");
  if (model.heads == 0) throw input_error("{}: {}attention.head_count is 0", keys.where(), p);
  if (rotary) {
    model.kv_heads = keys.count(p + "attention.head_count_kv", model.heads);
    model.head_dim = keys.count(p + "attention.key_length", 0);
    model.value_dim = keys.count(p + "attention.value_length", 0);
    read_rope(keys, p, model);
    read_share(keys, p, model);
  }
  if (!keys.flag(p + "use_parallel_residual", true))
    throw input_error("{}: {}use_parallel_residual is false, expected true", keys.where(), p);
  model.ffn = rotary ? keys.count(p + "feed_forward_length")
                     : keys.count(p + "feed_forward_length", 4 * model.width);
  model.context = keys.count(p + "context_length");
  model.vocab = vocab_of(keys, p);
  model.norm_eps = keys.number(p + eps_key(model), 1e-5);
  if (experts) read_experts(keys, p, architecture, model);
  model.tied = tied;
  model = checked(model, keys.where());
  return {model, &gguf_names(model), {}};
}

std::uint32_t file_type(Element element) {
  switch (element) {
    case Element::f16:
      return 1;
    case Element::q8_0:
      return 7;
    case Element::bf16:
      return 32;
    default:
      return 0;
  }
}

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

}  // namespace

HubConfig read_gguf_config(const GgufKeys& keys, bool tied) {
  const std::string name = keys.text("general.architecture", "");
  std::vector<std::string> names;
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (name == architecture.theirs) return read_architecture(keys, architecture, tied);
    names.push_back(architecture.theirs);
  }
  throw input_error("{}: general.architecture is '{}', expected one of {}", keys.where(),
                    printable(name), join(names, ", "));
}

bool gguf_ties_heads(const arch::ModelConfig& model) {
  return model.architecture != "olmo2" && model.architecture != "olmoe" &&
         model.architecture != "neox";
}

void add_gguf_config(GgufHeader& header, const arch::ModelConfig& m, Element element,
                     const std::string& name) {
  const arch::BlockStyle& style = arch::block_style(m);
  const std::string theirs = architecture_of(m).theirs, p = theirs + ".";
  if (style.biases && (m.head_dim * m.heads != m.width || m.value_dim != m.head_dim))
    throw usage_error("model.head_dim is {}: a {} GGUF has width / heads", m.head_dim, theirs);
  if (m.rope_scaling == "llama3" && theirs != "llama")
    throw usage_error("model.rope_scaling is llama3: a GGUF has it for llama only, not for {}",
                      theirs)
        .with_hint("--to hf writes it");
  header.add("general.architecture", std::string_view(theirs));
  header.add("general.name", std::string_view(name));
  header.add("general.file_type", file_type(element));
  if (element == Element::q8_0) header.add("general.quantization_version", std::uint32_t{2});
  header.add(p + "context_length", u32(m.context));
  header.add(p + "embedding_length", u32(m.width));
  header.add(p + "feed_forward_length", u32(m.ffn));
  header.add(p + "block_count", u32(m.layers));
  header.add(p + "vocab_size", u32(m.vocab));
  header.add(p + "attention.head_count", u32(m.heads));
  header.add(p + eps_key(m), static_cast<float>(m.norm_eps));
  if (!style.rotary) return;
  header.add(p + "attention.head_count_kv", u32(m.kv_heads));
  header.add(p + "attention.key_length", u32(m.head_dim));
  header.add(p + "attention.value_length", u32(m.value_dim));
  header.add(p + "rope.dimension_count", u32(arch::rotary_entries(m)));
  header.add(p + "rope.freq_base", static_cast<float>(m.rope_theta));
  if (m.rope_scaling == "linear") {
    header.add(p + "rope.scaling.type", std::string_view("linear"));
    header.add(p + "rope.scaling.factor", static_cast<float>(m.rope_factor));
  }
  if (style.parallel) header.add(p + "use_parallel_residual", true);
  if (m.experts == 0) return;
  header.add(p + "expert_count", u32(m.experts));
  header.add(p + "expert_used_count", u32(m.experts_per_token));
  if (m.architecture == "qwen3") header.add(p + "expert_feed_forward_length", u32(m.ffn));
}

}  // namespace stagedtrain::hub
