// Calls each reader of foreign files on given bytes and uses all that it returns.
#include "fuzz/readers.h"

#include <numeric>

#include "base/error.h"
#include "data/token_file.h"
#include "foreign/hf_config.h"
#include "hub/foreign_model.h"
#include "io/file.h"
#include "modelfiles/hf_folder.h"
#include "modelfiles/safetensors.h"
#include "prepare/decompress.h"
#include "prepare/json_lines.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/strict_json.h"
#include "tokenizers/tiktoken_ranks.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::test {
namespace {

using Bytes = std::span<const std::byte>;

std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The file of a reader that takes a path, below a folder that lives as long as the process.
Path written(const std::string& name, Bytes bytes) {
  static const TempDir folder;
  const Path path = folder / name;
  std::filesystem::create_directories(path.parent_path());
  write_text(path, text_of(bytes));
  return path;
}

// Reads every byte of the tensors, as an import would.
void use(const std::map<std::string, hub::StoredTensor>& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const auto numbers = hub::product(tensor.shape);
    if (!numbers || tensor.element == hub::Element::other) continue;
    std::vector<float> values(*numbers);
    hub::decode(tensor.element, tensor.bytes, values);
  }
}

void read_safetensors_file(Bytes bytes) {
  const Path path = written("folder/model.safetensors", bytes);
  use(hub::read_hf_weights(path.parent_path()).all());
}

// The index of shards; one of the files that it may name exists.
void read_index(Bytes bytes) {
  const std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})";
  const auto length = static_cast<std::uint64_t>(header.size());
  const std::string shard =
      std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + "data";
  written("sharded/a.safetensors", std::as_bytes(std::span(shard)));
  const Path path = written("sharded/model.safetensors.index.json", bytes);
  use(hub::read_hf_weights(path.parent_path()).all());
}

void read_config(Bytes bytes) {
  hub::read_hf_config(parse_strict_json(text_of(bytes), "config.json"), "config.json");
}

void read_model(Bytes bytes) { use(hub::open_foreign_model(written("model", bytes)).tensors.all()); }

// Encodes and decodes texts, the tokenizer's own bytes among them.
void use(const data::Tokenizer& tokenizer) {
  std::vector<std::int32_t> ids(300);
  std::iota(ids.begin(), ids.end(), -20);
  tokenizer.decode(ids);
  for (const std::string_view text : {"", "Any text: na\u00efve, \u6570\n\n  12 don't", "\xf0\x9f\x99\x82"})
    tokenizer.decode(tokenizer.encode(text));
}

void read_tokenizer(Bytes bytes) {
  if (bytes.empty()) return;
  use(*data::Tokenizer::from_spec(text_of(bytes), "tokenizer"));
}

void read_tokenizer_json(Bytes bytes) {
  const std::string text = text_of(bytes);
  if (!text.starts_with('{')) return;
  read_tokenizer(bytes);
}

void read_ranks(Bytes bytes) {
  const std::string text = text_of(bytes);
  if (data::is_rank_file(text)) data::parse_rank_file(text, "ranks");
}

void read_token_file(const Path& path) {
  const data::TokenFile file(path);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(std::min<std::int64_t>(file.count(), 4096)));
  file.read(0, ids, std::int64_t{1} << 32);
  file.fingerprint();
}

void read_tokens(Bytes bytes) { read_token_file(written("tokens.bin", bytes)); }

void read_megatron_index(Bytes bytes) {
  const std::vector<std::byte> tokens(64);
  written("megatron/m.idx", bytes);
  read_token_file(written("megatron/m.bin", tokens));
}

void read_json_lines(Bytes bytes) {
  const std::string text = text_of(bytes);
  data::JsonLines lines("lines.jsonl", "text", [](std::string_view) {});
  for (std::size_t at = 0; at < text.size(); at += 7) lines.feed(std::string_view(text).substr(at, 7));
  lines.finish();
}

void read_compressed(Bytes bytes) {
  if (data::compression_of(bytes) == data::Compression::none) return;
  // A few bytes may stand for gigabytes, which are read as a stream; 64 MiB of them are enough.
  struct Enough {};
  std::size_t size = 0;
  try {
    data::decompress(bytes, "packed", [&](std::string_view piece) {
      if ((size += piece.size()) > std::size_t{1} << 26) throw Enough{};
    }, [](std::size_t) {});
  } catch (const Enough&) {
  }
}

}  // namespace

const std::vector<FuzzedReader>& fuzzed_readers() {
  static const std::vector<FuzzedReader> readers = {
      {"safetensors", read_safetensors_file},
      {"safetensors_index", read_index},
      {"hf_config", read_config},
      {"gguf", read_model},
      {"llmc_model", read_model},
      {"tokenizer_json", read_tokenizer_json},
      {"sentencepiece", read_tokenizer},
      {"tiktoken_ranks", read_ranks},
      {"token_file", read_tokens},
      {"megatron_index", read_megatron_index},
      {"json_lines", read_json_lines},
      {"compressed", read_compressed},
  };
  return readers;
}

bool accepts(const FuzzedReader& reader, std::span<const std::byte> bytes) try {
  reader.read(bytes);
  return true;
} catch (const Error& error) {
  if (error.kind() != ErrorKind::input) throw;
  return false;
}

}  // namespace stagedtrain::test
