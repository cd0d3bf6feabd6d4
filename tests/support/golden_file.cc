// One line of JSON, then little-endian arrays.
#include "support/golden_file.h"

#include <cstdlib>
#include <cstring>

#include "text/json.h"

namespace stagedtrain::test {
namespace {

template <class T>
void widen(std::string_view bytes, std::vector<double>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
}

GoldenTensor read_tensor(const Json& entry, std::string_view data, const std::string& where) {
  GoldenTensor tensor;
  tensor.shape = entry.at("shape").get<std::vector<std::int64_t>>();
  std::size_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= static_cast<std::size_t>(size);
  const std::string type = entry.at("type");
  const std::size_t bytes = count * (type == "float64" ? 8 : 4);
  const std::size_t offset = entry.at("offset");
  if (offset > data.size() || bytes > data.size() - offset)
    throw input_error("{}: cut short: {} ends at byte {} of the data, found {}", where,
                      entry.at("name").get<std::string>(), offset + bytes, data.size());
  tensor.values.resize(count);
  const std::string_view raw = data.substr(offset, bytes);
  if (type == "float64")
    widen<double>(raw, tensor.values);
  else if (type == "float32")
    widen<float>(raw, tensor.values);
  else
    widen<std::int32_t>(raw, tensor.values);
  if (!entry.at("scale").is_null()) {
    tensor.scale = entry["scale"];
    tensor.fp32_deviation = entry.at("fp32_deviation");
  }
  return tensor;
}

arch::ModelConfig read_model(const Json& json) {
  arch::ModelConfig model;
  model.architecture = json.at("architecture");
  model.layers = json.at("layers");
  model.width = json.at("width");
  model.heads = json.at("heads");
  model.ffn = json.at("ffn");
  model.vocab = json.at("vocab");
  model.context = json.at("context");
  model.tied = json.at("tied");
  model.norm_eps = json.at("norm_eps");
  model.kv_heads = json.value("kv_heads", model.heads);
  model.head_dim = json.value("head_dim", model.width / model.heads);
  model.rope_theta = json.value("rope_theta", model.rope_theta);
  model.rotary_share = json.value("rotary_share", model.rotary_share);
  model.rope_scaling = json.value("rope_scaling", model.rope_scaling);
  model.rope_factor = json.value("rope_factor", model.rope_factor);
  model.rope_low = json.value("rope_low", model.rope_low);
  model.rope_high = json.value("rope_high", model.rope_high);
  model.rope_original = json.value("rope_original", model.rope_original);
  model.experts = json.value("experts", model.experts);
  model.experts_per_token = json.value("experts_per_token", model.experts_per_token);
  model.router_loss = json.value("router_loss", model.router_loss);
  model.norm_topk = json.value("norm_topk", model.norm_topk);
  model.core = json.value("core", model.core);
  model.prelude = json.value("prelude", model.prelude);
  model.coda = json.value("coda", model.coda);
  model.passes = json.value("passes", model.passes);
  model.boundary_alpha = json.value("boundary_alpha", model.boundary_alpha);
  return arch::resolved(model);
}

GoldenOptimizer read_optimizer(const Json& json) {
  return {json.at("rate"), json.at("beta1"), json.at("beta2"),
          json.at("eps"),  json.at("decay"), json.at("clip")};
}

}  // namespace

GoldenFile::GoldenFile(const Path& path) : path_(path) {
  const std::string text = read_text_file(path);
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) throw input_error("{}: no header line", path.string());
  const std::string_view data = std::string_view(text).substr(end + 1);
  const Json header = parse_json(std::string_view(text).substr(0, end), path.string());
  try {
    if (header.at("format") != "stagedtrain golden 1")
      throw input_error("{}: format is {}, expected stagedtrain golden 1", path.string(),
                        header["format"].dump());
    model_ = read_model(header.at("model"));
    optimizer_ = read_optimizer(header.at("optimizer"));
    for (const Json& entry : header.at("tensors"))
      tensors_[entry.at("name")] = read_tensor(entry, data, path.string());
  } catch (const Json::exception& error) {
    throw input_error("{}: {}", path.string(), error.what());
  }
}

const GoldenTensor& GoldenFile::operator[](const std::string& name) const {
  const auto at = tensors_.find(name);
  if (at == tensors_.end()) throw input_error("{}: no tensor {}", path_.string(), name);
  return at->second;
}

GoldenFile open_golden(const std::string& name) {
  const char* source = std::getenv("STAGEDTRAIN_SOURCE");
  return GoldenFile(Path(source ? source : ".") / "tests" / "golden" / name);
}

}  // namespace stagedtrain::test
