// Exports a Hugging Face folder: config.json, weights in one file or in shards, and the tokenizer.
#include <algorithm>

#include "base/error.h"
#include "foreign/hf_config.h"
#include "foreign/hf_tokenizer.h"
#include "hub/export.h"
#include "hub/foreign_weights.h"
#include "io/atomic_folder.h"
#include "modelfiles/hf_folder.h"
#include "text/json.h"

namespace stagedtrain::hub {
namespace {

// Lists the files that an export writes. A folder may be replaced only if it holds nothing else.
const std::vector<std::string> kOwnNames = {kHfConfig, "generation_config.json", kHfIndex,
                                            "tokenizer.json", "tokenizer_config.json",
                                            "special_tokens_map.json", "tokenizer.model"};
bool may_replace(const std::string& name) {
  return std::ranges::find(kOwnNames, name) != kOwnNames.end() ||
         (name.starts_with("model") && name.ends_with(".safetensors"));
}

struct Shard {
  std::vector<const MappedTensor*> tensors;
  std::uint64_t bytes = 0;
};

TensorOutline outline(const MappedTensor& tensor, Element element) {
  return {tensor.name, element, tensor.shape};
}

// Fills shards in the order of tensor names, starting a new one if the next tensor does not fit.
std::vector<Shard> make_shards(const std::vector<MappedTensor>& tensors,
                               const ExportOptions& options) {
  std::vector<const MappedTensor*> order;
  for (const MappedTensor& tensor : tensors) order.push_back(&tensor);
  std::ranges::sort(order, {}, [](const MappedTensor* t) { return t->name; });
  std::vector<Shard> shards(1);
  for (const MappedTensor* tensor : order) {
    const std::uint64_t bytes = outline(*tensor, options.element).bytes();
    if (shards.back().bytes > 0 && shards.back().bytes + bytes > options.shard_bytes)
      shards.emplace_back();
    shards.back().tensors.push_back(tensor);
    shards.back().bytes += bytes;
  }
  return shards;
}

std::uint64_t write_shard(const ForeignWeights& weights, const Shard& shard, Element element,
                          const Path& path) {
  std::vector<TensorOutline> outlines;
  for (const MappedTensor* tensor : shard.tensors) outlines.push_back(outline(*tensor, element));
  const std::string head = safetensors_header(outlines);
  std::vector<PlacedTensor> placed;
  std::uint64_t end = head.size();
  for (std::size_t i = 0; i < outlines.size(); ++i) {
    const std::uint64_t begin = end;
    end += outlines[i].bytes();
    placed.push_back({shard.tensors[i], element, begin, end});
  }
  OutputFile out(path, OutputFile::Mode::create_new);
  PieceOutput pieces(out, end);
  pieces.write(0, std::as_bytes(std::span(head)));
  weights.write(placed, pieces);
  pieces.finish();
  out.sync();
  out.close();
  return end;
}

// Writes text files into a folder and records what was written.
class FolderFiles {
 public:
  FolderFiles(Path folder, ExportResult& result) : folder_(std::move(folder)), result_(result) {}
  void text(const std::string& name, const std::string& text) {
    OutputFile out(folder_ / name, OutputFile::Mode::create_new);
    out.write_at(0, std::as_bytes(std::span(text)));
    out.sync();
    out.close();
    wrote(name, text.size());
  }
  void json(const std::string& name, const Json& json) { text(name, json.dump(2) + "\n"); }
  void wrote(const std::string& name, std::uint64_t bytes) {
    result_.files.push_back(name);
    result_.bytes += bytes;
  }

 private:
  Path folder_;
  ExportResult& result_;
};

void write_weights(const ForeignWeights& weights, const Path& folder, const ExportOptions& options,
                   FolderFiles& files) {
  const std::vector<Shard> shards = make_shards(weights.tensors(), options);
  Json map = Json::object();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shards.size() == 1 ? kHfWeights : shard_name(i + 1, shards.size());
    files.wrote(name, write_shard(weights, shards[i], options.element, folder / name));
    total += shards[i].bytes;
    for (const MappedTensor* tensor : shards[i].tensors) map[tensor->name] = name;
  }
  if (shards.size() > 1)
    files.json(kHfIndex, {{"metadata", {{"total_size", total}}}, {"weight_map", map}});
}

}  // namespace

ExportResult export_hf(const state::CheckpointReader& from, const arch::ModelConfig& model,
                       const ParsedTokenizer& parsed, const Path& target,
                       const ExportOptions& options) {
  refuse_folder(target, options.force, may_replace);
  const HfTokenizer tokenizer = hf_tokenizer(parsed, model.context);
  const Json config = hf_config(model, options.element, tokenizer.special);
  const ForeignWeights weights(from, options.kind, hf_names(model), model);
  ExportResult result;
  AtomicFolder folder(target, options.force ? Replace::yes : Replace::no);
  FolderFiles files(folder.path(), result);
  files.json(kHfConfig, config);
  files.json("generation_config.json", {{"_from_model_config", true},
                                        {"bos_token_id", config["bos_token_id"]},
                                        {"eos_token_id", config["eos_token_id"]}});
  for (const auto& [name, text] : tokenizer.files) files.text(name, text);
  write_weights(weights, folder.path(), options, files);
  folder.commit();
  return result;
}

}  // namespace stagedtrain::hub
