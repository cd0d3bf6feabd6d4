// Converts GGUF's tokenizer.ggml.* keys to a tokenizer spec and back.
#include "foreign/gguf_tokenizer.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "foreign/gguf_pieces.h"
#include "tokenizers/byte_alphabet.h"
#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::hub {
namespace {

using data::AddedToken;
using data::BpeDescription;

// Token types, by ggml's numbers.
constexpr std::int32_t kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5;

std::int32_t special_id(const GgufKeys& keys, const char* name) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  if (!keys.has(key)) return -1;
  const std::int64_t id = keys.count(key);
  return id < std::numeric_limits<std::int32_t>::max() ? static_cast<std::int32_t>(id) : -1;
}

void read_tokens(const GgufKeys& keys, BpeDescription& found) {
  const std::vector<std::string_view> tokens = keys.texts("tokenizer.ggml.tokens");
  const std::vector<std::int64_t> types = keys.integers("tokenizer.ggml.token_type");
  if (!types.empty() && types.size() != tokens.size())
    throw input_error("{}: {} token types for {} tokens", keys.where(), types.size(),
                      tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::int64_t type = types.empty() ? std::int64_t{kNormal} : types[id];
    const std::string token(tokens[id]);
    const bool added = type == kControl || type == kUserDefined;
    found.tokens.push_back(type == kNormal ? token : "");
    if (added && !token.empty())
      found.added.push_back({static_cast<std::int32_t>(id), token, type == kControl});
    if (type != kNormal && type != kUnused && !added)
      throw input_error("{}: token {} has type {}, expected 1, 3, 4 or 5", keys.where(), id, type);
  }
}

void read_merges(const GgufKeys& keys, BpeDescription& found) {
  for (const std::string_view merge : keys.texts("tokenizer.ggml.merges")) {
    const std::size_t space = merge.find(' ', 1);  // the first token may begin with a space
    if (space == std::string_view::npos)
      throw input_error("{}: the merge '{}' has no space", keys.where(), printable(merge));
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    // A merge of characters that stand for no bytes never applies: see bytes_for_llama_cpp().
    if (data::bytes_of_characters(left) && data::bytes_of_characters(right))
      found.merges.emplace_back(left, right);
  }
}

// ---- Export.

// Returns a vocabulary in which each byte is the token of that id. llama.cpp refuses a vocabulary
// without merges, so it has one merge of characters that stand for no byte, which never applies.
const BpeDescription& bytes_for_llama_cpp() {
  static const BpeDescription description = [] {
    BpeDescription bytes;
    for (int byte = 0; byte < 256; ++byte)
      bytes.tokens.push_back(data::character_of_byte(static_cast<unsigned char>(byte)));
    bytes.merges.emplace_back("\u0250", "\u0251");
    bytes.split = data::PreSplit::gpt2;
    return bytes;
  }();
  return description;
}

std::vector<std::string> merge_texts(const BpeDescription& d) {
  std::vector<std::string> merges;
  for (const auto& [left, right] : d.merges) merges.push_back(left + " " + right);
  return merges;
}

void add_special(GgufHeader& header, const char* name, std::int32_t id) {
  if (id >= 0)
    header.add(fmt::format("tokenizer.ggml.{}_token_id", name), static_cast<std::uint32_t>(id));
}

}  // namespace

std::string gguf_tokenizer(const GgufKeys& keys) {
  const std::string model = keys.text("tokenizer.ggml.model", "");
  if (model.empty()) return "";
  if (model == "llama") return read_gguf_pieces(keys);
  if (model != "gpt2")
    throw input_error("{}: tokenizer.ggml.model '{}' is not supported, expected gpt2 or llama",
                      keys.where(), printable(model));
  const std::string pre = keys.text("tokenizer.ggml.pre", "gpt-2");
  const auto split = data::find_ggml_pre(pre);
  if (!split || *split == data::PreSplit::none)
    throw input_error("{}: tokenizer.ggml.pre '{}' is not supported", keys.where(), printable(pre));
  BpeDescription found;
  found.split = *split;
  found.ignore_merges = *split == data::PreSplit::llama3;
  read_tokens(keys, found);
  read_merges(keys, found);
  if (found.spells_bytes()) return "bytes";
  return data::with_special_ids(data::to_tokenizer_json(found), special_id(keys, "bos"),
                                special_id(keys, "eos"), special_id(keys, "padding"));
}

void add_gguf_tokenizer(GgufHeader& header, const ParsedTokenizer& tokenizer, std::int64_t vocab,
                        std::vector<std::string>& notes) {
  const std::string& spec = tokenizer.spec;
  if (spec.empty()) return;
  if (spec != "bytes" && !tokenizer.bpe) return add_gguf_pieces(header, spec, vocab, notes);
  const BpeDescription& d = spec == "bytes" ? bytes_for_llama_cpp() : *tokenizer.bpe;
  if (d.split == data::PreSplit::none)
    throw usage_error(
        "the checkpoint's tokenizer does not split words, which llama.cpp does not support");
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  for (std::int64_t id = 0; id < vocab; ++id) {
    const auto place = static_cast<std::size_t>(id);
    const bool there = place < d.tokens.size() && !d.tokens[place].empty();
    tokens.push_back(there ? d.tokens[place] : fmt::format("[PAD{}]", id));
    types.push_back(there ? kNormal : kUnused);
  }
  for (const AddedToken& token : d.added) {
    tokens.at(static_cast<std::size_t>(token.id)) = token.content;
    types.at(static_cast<std::size_t>(token.id)) = token.special ? kControl : kUserDefined;
  }
  header.add("tokenizer.ggml.model", std::string_view("gpt2"));
  header.add("tokenizer.ggml.pre", std::string_view(data::ggml_pre_name(d.split)));
  header.add("tokenizer.ggml.tokens", tokens);
  header.add("tokenizer.ggml.token_type", types);
  header.add("tokenizer.ggml.merges", merge_texts(d));
  add_special(header, "bos", d.begin);
  add_special(header, "eos", d.end);
  add_special(header, "padding", d.pad);
  header.add("tokenizer.ggml.add_bos_token", false);
}

}  // namespace stagedtrain::hub
