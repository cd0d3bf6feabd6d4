// Opens the weights of a Hugging Face folder.
#include "modelfiles/hf_folder.h"

#include <map>
#include <set>

#include "base/error.h"
#include "modelfiles/safetensors.h"
#include "text/strict_json.h"

namespace stagedtrain::hub {
namespace {

constexpr std::uint64_t kMostIndexBytes = std::uint64_t{64} << 20;

// The tensors of each file, according to the index.
using FileNames = std::map<std::string, std::set<std::string>>;

FileNames read_index(const Path& path) {
  const std::string where = path.string();
  const SortedJson json = parse_strict_json(read_text_file(path, kMostIndexBytes), where);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
    throw input_error("{}: has no weight_map object", where);
  FileNames files;
  for (const auto& [tensor, file] : json["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    const bool plain = name.ends_with(".safetensors") && name.find('/') == std::string::npos &&
                       name.find('\0') == std::string::npos && !name.starts_with(".");
    if (!plain)
      throw input_error("{}: weight_map: tensor '{}' is in '{}', expected the name of a "
                        ".safetensors file in the folder", where, printable(tensor),
                        printable(file.is_string() ? name : file.dump()));
    files[name].insert(tensor);
  }
  return files;
}

void check_names(const std::vector<StoredTensor>& tensors, const std::set<std::string>& expected,
                 const Path& path) {
  std::set<std::string> missing = expected;
  for (const StoredTensor& tensor : tensors)
    if (missing.erase(tensor.name) == 0)
      throw input_error("{}: holds the tensor '{}', which the index does not place there",
                        path.string(), printable(tensor.name));
  if (!missing.empty())
    throw input_error("{}: does not hold the tensor '{}', which the index places there",
                      path.string(), printable(*missing.begin()));
}

}  // namespace

StoredTensors read_hf_weights(const Path& folder) {
  StoredTensors all(folder.string());
  const Path single = folder / kHfWeights, index = folder / kHfIndex;
  if (std::filesystem::exists(single)) {
    auto file = std::make_shared<const MappedFile>(single);
    std::vector<StoredTensor> tensors = read_safetensors(single, *file);
    all.add(std::move(file), std::move(tensors));
    return all;
  }
  if (!std::filesystem::exists(index))
    throw input_error("{}: has neither {} nor {}", folder.string(), kHfWeights, kHfIndex)
        .with_hint("pickled weights (.bin, .pt) are never opened; save them as safetensors with "
                   "transformers: model.save_pretrained(folder, safe_serialization=True)");
  for (const auto& [name, expected] : read_index(index)) {
    auto file = std::make_shared<const MappedFile>(folder / name);
    std::vector<StoredTensor> tensors = read_safetensors(folder / name, *file);
    check_names(tensors, expected, folder / name);
    all.add(std::move(file), std::move(tensors));
  }
  return all;
}

std::string shard_name(std::size_t number, std::size_t shards) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", number, shards);
}

}  // namespace stagedtrain::hub
