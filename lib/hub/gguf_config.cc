// Keys of the architectures that ggml calls gpt2 and llama.
#include "hub/gguf_config.h"

#include <set>

#include "base/error.h"
#include "hub/checked_config.h"

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

HubConfig read_llama(const GgufKeys& keys, bool tied) {
  const std::string p = "llama.";
  refuse_unknown(keys, p,
                 {"context_length", "embedding_length", "block_count", "feed_forward_length",
                  "vocab_size", "attention.head_count", "attention.head_count_kv",
                  "attention.layer_norm_rms_epsilon", "attention.key_length",
                  "attention.value_length", "rope.dimension_count", "rope.freq_base",
                  "expert_count", "expert_used_count", "tensor_data_layout"});
  arch::ModelConfig model;
  model.architecture = "llama";
  model.layers = keys.count(p + "block_count");
  model.width = keys.count(p + "embedding_length");
  model.heads = keys.count(p + "attention.head_count");
  model.kv_heads = keys.count(p + "attention.head_count_kv", model.heads);
  model.head_dim = keys.count(p + "attention.key_length", 0);
  model.value_dim = keys.count(p + "attention.value_length", 0);
  model.ffn = keys.count(p + "feed_forward_length");
  model.context = keys.count(p + "context_length");
  model.vocab = vocab_of(keys, p);
  model.norm_eps = keys.number(p + "attention.layer_norm_rms_epsilon", 1e-5);
  model.rope_theta = keys.number(p + "rope.freq_base", 1e4);
  model.experts = keys.count(p + "expert_count", 0);
  if (model.experts > 0) model.experts_per_token = keys.count(p + "expert_used_count");
  model.tied = tied;
  model = checked(model, keys.where());
  if (keys.count(p + "rope.dimension_count", model.head_dim) != model.head_dim)
    throw input_error("{}: llama.rope.dimension_count is {}, expected {} (all of a head)",
                      keys.where(), keys.count(p + "rope.dimension_count"), model.head_dim);
  return {model, &gguf_llama_names(), {}};
}

HubConfig read_gpt2(const GgufKeys& keys, bool tied) {
  const std::string p = "gpt2.";
  refuse_unknown(keys, p,
                 {"context_length", "embedding_length", "block_count", "feed_forward_length",
                  "vocab_size", "attention.head_count", "attention.head_count_kv",
                  "attention.layer_norm_epsilon", "attention.causal"});
  arch::ModelConfig model;
  model.architecture = "gpt2";
  model.layers = keys.count(p + "block_count");
  model.width = keys.count(p + "embedding_length");
  model.heads = keys.count(p + "attention.head_count");
  model.ffn = keys.count(p + "feed_forward_length", 4 * model.width);
  model.context = keys.count(p + "context_length");
  model.vocab = vocab_of(keys, p);
  model.norm_eps = keys.number(p + "attention.layer_norm_epsilon", 1e-5);
  model.tied = tied;
  return {checked(model, keys.where()), &gguf_gpt2_names(), {}};
}

std::uint32_t file_type(Element element) {
  switch (element) {
    case Element::f16: return 1;
    case Element::q8_0: return 7;
    case Element::bf16: return 32;
    default: return 0;
  }
}

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

}  // namespace

HubConfig read_gguf_config(const GgufKeys& keys, bool tied) {
  const std::string architecture = keys.text("general.architecture", "");
  if (architecture == "llama") return read_llama(keys, tied);
  if (architecture == "gpt2") return read_gpt2(keys, tied);
  throw input_error("{}: general.architecture is '{}', expected gpt2 or llama", keys.where(),
                    printable(architecture));
}

const NameTable& gguf_names(const arch::ModelConfig& model) {
  return model.architecture == "gpt2" ? gguf_gpt2_names() : gguf_llama_names();
}

void add_gguf_config(GgufHeader& header, const arch::ModelConfig& m, Element element,
                     const std::string& name) {
  const bool gpt2 = m.architecture == "gpt2";
  const std::string p = m.architecture + ".";
  if (gpt2 && (m.head_dim * m.heads != m.width || m.value_dim != m.head_dim))
    throw usage_error("model.head_dim is {}: a gpt2 GGUF has width / heads", m.head_dim);
  if (gpt2 && m.experts > 0)
    throw usage_error("model.experts is {}: a gpt2 GGUF has none", m.experts);
  header.add("general.architecture", std::string_view(m.architecture));
  header.add("general.name", std::string_view(name));
  header.add("general.file_type", file_type(element));
  if (element == Element::q8_0) header.add("general.quantization_version", std::uint32_t{2});
  header.add(p + "context_length", u32(m.context));
  header.add(p + "embedding_length", u32(m.width));
  header.add(p + "feed_forward_length", u32(m.ffn));
  header.add(p + "block_count", u32(m.layers));
  header.add(p + "vocab_size", u32(m.vocab));
  header.add(p + "attention.head_count", u32(m.heads));
  const auto eps = static_cast<float>(m.norm_eps);
  if (gpt2) return header.add(p + "attention.layer_norm_epsilon", eps);
  header.add(p + "attention.head_count_kv", u32(m.kv_heads));
  header.add(p + "attention.layer_norm_rms_epsilon", eps);
  header.add(p + "attention.key_length", u32(m.head_dim));
  header.add(p + "attention.value_length", u32(m.value_dim));
  header.add(p + "rope.dimension_count", u32(m.head_dim));
  header.add(p + "rope.freq_base", static_cast<float>(m.rope_theta));
  if (m.experts == 0) return;
  header.add(p + "expert_count", u32(m.experts));
  header.add(p + "expert_used_count", u32(m.experts_per_token));
}

}  // namespace stagedtrain::hub
