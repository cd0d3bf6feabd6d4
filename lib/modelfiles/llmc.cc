// Reads and writes llm.c's tensors in its order (write_tensors in train_gpt2.py).
#include "modelfiles/llmc.h"

#include <array>
#include <cstring>

#include "base/error.h"
#include "modelfiles/checked_config.h"

namespace stagedtrain::hub {
namespace {

constexpr std::int32_t kMagic = 20240326;
constexpr std::size_t kHeaderInts = 256;
using Header = std::array<std::int32_t, kHeaderInts>;

struct BlockTensor {
  const char* name;
  std::int64_t rows, columns;  // in multiples of the width
};
// The tensors of a block.
constexpr BlockTensor kBlockTensors[] = {{"ln1w", 1, 0}, {"ln1b", 1, 0},     {"qkvw", 3, 1},
                                         {"qkvb", 3, 0}, {"attprojw", 1, 1}, {"attprojb", 1, 0},
                                         {"ln2w", 1, 0}, {"ln2b", 1, 0},     {"fcw", 4, 1},
                                         {"fcb", 4, 0},  {"fcprojw", 1, 4},  {"fcprojb", 1, 0}};

std::vector<std::int64_t> shape_of(const BlockTensor& kind, std::int64_t width) {
  std::vector<std::int64_t> shape{kind.rows * width};
  if (kind.columns > 0) shape.push_back(kind.columns * width);
  return shape;
}

std::string layer_tensor(const char* kind, std::int64_t layer) {
  return fmt::format("{}.{}", kind, layer);
}

// Cuts tensors off the front of the data and checks that each one fits.
class Cutter {
 public:
  Cutter(const Path& path, std::span<const std::byte> data, Element element)
      : path_(path.string()), data_(data), element_(element) {}

  StoredTensor cut(std::string name, std::vector<std::int64_t> shape) {
    const auto count = product(shape);
    const auto bytes = count ? encoded_bytes(element_, *count) : std::nullopt;
    if (!bytes || *bytes > data_.size())
      throw input_error("{}: {} of {} does not fit in the {} bytes that are left", path_, name,
                        shape_text(shape), data_.size());
    StoredTensor tensor{std::move(name), element_, element_name(element_), std::move(shape),
                        data_.first(*bytes)};
    data_ = data_.subspan(*bytes);
    return tensor;
  }
  void finish() const {
    if (!data_.empty())
      throw input_error("{}: {} bytes follow the last tensor", path_, data_.size());
  }

 private:
  std::string path_;
  std::span<const std::byte> data_;
  Element element_;
};

arch::ModelConfig config_of(const Header& header, const Path& path) {
  const char* const names[] = {"max_seq_len", "vocab_size", "num_layers",
                               "num_heads",   "channels",   "padded_vocab_size"};
  for (std::size_t i = 0; i < 6; ++i)
    if (header[2 + i] < 1 || header[2 + i] > 1 << 24)
      throw input_error("{}: {} in the header is {}, expected 1 to 2^24", path.string(), names[i],
                        header[2 + i]);
  if (header[7] < header[3])
    throw input_error("{}: padded_vocab_size {} is below vocab_size {}", path.string(), header[7],
                      header[3]);
  arch::ModelConfig model;
  model.context = header[2];
  model.vocab = header[3];
  model.layers = header[4];
  model.heads = header[5];
  model.width = header[6];
  return checked(model, path.string());
}

}  // namespace

bool is_llmc(std::span<const std::byte> bytes) {
  std::int32_t magic = 0;
  if (bytes.size() < sizeof magic) return false;
  std::memcpy(&magic, bytes.data(), sizeof magic);
  return magic == kMagic;
}

LlmcModel read_llmc(const Path& path, const MappedFile& file) {
  Header header;
  if (file.bytes().size() < sizeof header)
    throw input_error("{}: is {} bytes, too short for an llm.c header of {}", path.string(),
                      file.bytes().size(), sizeof header);
  std::memcpy(header.data(), file.bytes().data(), sizeof header);
  if (header[1] != 3 && header[1] != 5)
    throw input_error("{}: llm.c model version {}, expected 3 (float32) or 5 (bfloat16)",
                      path.string(), header[1]);
  LlmcModel found{config_of(header, path), {}};
  const arch::ModelConfig& m = found.model;
  const Element element = header[1] == 3 ? Element::f32 : Element::bf16;
  Cutter cutter(path, file.bytes().subspan(sizeof header), element);
  StoredTensor wte = cutter.cut("wte", {header[7], m.width});
  wte.shape[0] = m.vocab;
  wte.bytes = wte.bytes.first(*encoded_bytes(
      element, static_cast<std::uint64_t>(m.vocab) * static_cast<std::uint64_t>(m.width)));
  found.tensors.push_back(std::move(wte));
  found.tensors.push_back(cutter.cut("wpe", {m.context, m.width}));
  for (const BlockTensor& kind : kBlockTensors)
    for (std::int64_t layer = 0; layer < m.layers; ++layer)
      found.tensors.push_back(cutter.cut(layer_tensor(kind.name, layer), shape_of(kind, m.width)));
  found.tensors.push_back(cutter.cut("lnfw", {m.width}));
  found.tensors.push_back(cutter.cut("lnfb", {m.width}));
  cutter.finish();
  return found;
}

std::int64_t llmc_padded_vocab(std::int64_t vocab) { return (vocab + 127) / 128 * 128; }

std::string llmc_header(const arch::ModelConfig& m, Element element) {
  const bool plain = m.architecture == "gpt2" && m.tied && m.ffn == 4 * m.width && m.experts == 0 &&
                     m.head_dim * m.heads == m.width && m.value_dim == m.head_dim;
  if (!plain)
    throw usage_error(
        "llm.c supports only gpt2 with a tied head, ffn 4 * width and heads of width / heads; this "
        "is {}",
        describe(m));
  if (m.norm_eps != 1e-5)
    throw usage_error("model.norm_eps is {}: llm.c supports only 1e-5", m.norm_eps);
  if (element != Element::f32 && element != Element::bf16)
    throw usage_error("--dtype {}: llm.c supports only f32 and bf16", element_name(element));
  Header header{};
  const std::int64_t sizes[] = {m.context, m.vocab, m.layers, m.heads, m.width,
                                llmc_padded_vocab(m.vocab)};
  header[0] = kMagic;
  header[1] = element == Element::f32 ? 3 : 5;
  for (std::size_t i = 0; i < 6; ++i) header[2 + i] = static_cast<std::int32_t>(sizes[i]);
  return {reinterpret_cast<const char*>(header.data()), sizeof header};
}

std::vector<std::string> llmc_order(std::int64_t layers) {
  std::vector<std::string> names{"wte", "wpe"};
  for (const BlockTensor& kind : kBlockTensors)
    for (std::int64_t layer = 0; layer < layers; ++layer)
      names.push_back(layer_tensor(kind.name, layer));
  names.insert(names.end(), {"lnfw", "lnfb"});
  return names;
}

}  // namespace stagedtrain::hub
