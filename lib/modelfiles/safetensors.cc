// Reads and writes safetensors headers. Every size is checked before it is used.
#include "modelfiles/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "text/strict_json.h"

namespace stagedtrain::hub {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::uint64_t kMostHeader = 100'000'000;  // the reference reader's limit

struct TypeRow {
  const char* name;
  std::uint64_t bits;
  Element element;
};
constexpr TypeRow kTypes[] = {
    {"F64", 64, Element::f64},     {"F32", 32, Element::f32},     {"F16", 16, Element::f16},
    {"BF16", 16, Element::bf16},   {"I64", 64, Element::other},   {"U64", 64, Element::other},
    {"I32", 32, Element::other},   {"U32", 32, Element::other},   {"I16", 16, Element::other},
    {"U16", 16, Element::other},   {"I8", 8, Element::other},     {"U8", 8, Element::other},
    {"BOOL", 8, Element::other},   {"F8_E5M2", 8, Element::other}, {"F8_E4M3", 8, Element::other},
    {"F8_E8M0", 8, Element::other}, {"C64", 64, Element::other},   {"F4", 4, Element::other},
    {"F6_E2M3", 6, Element::other}, {"F6_E3M2", 6, Element::other}};

const TypeRow* find_type(const std::string& name) {
  const auto* found = std::ranges::find_if(kTypes, [&](const TypeRow& t) { return t.name == name; });
  return found == std::end(kTypes) ? nullptr : found;
}
const char* type_name(Element element) {
  return std::ranges::find(kTypes, element, &TypeRow::element)->name;
}

// Reads the entries of one header.
class HeaderReader {
 public:
  HeaderReader(const Path& path, std::span<const std::byte> buffer)
      : path_(path.string()), buffer_(buffer) {}

  StoredTensor entry(const std::string& name, const SortedJson& json) const {
    const std::string where = fmt::format("{}: tensor '{}'", path_, printable(name));
    if (!json.is_object() || json.size() != 3)
      throw input_error("{}: expected exactly the keys dtype, shape and data_offsets", where);
    for (const char* key : {"dtype", "shape", "data_offsets"})
      if (!json.contains(key)) throw input_error("{}: has no '{}'", where, key);
    if (!json["dtype"].is_string()) throw input_error("{}: dtype is not a string", where);
    StoredTensor tensor;
    tensor.name = name;
    tensor.type = printable(json["dtype"].get<std::string>());
    const TypeRow* type = find_type(tensor.type);
    if (!type) throw input_error("{}: dtype '{}' is unknown", where, tensor.type);
    tensor.element = type->element;
    for (const std::uint64_t size : numbers(json["shape"], where + ": shape"))
      tensor.shape.push_back(static_cast<std::int64_t>(size));
    const std::vector<std::uint64_t> offsets =
        numbers(json["data_offsets"], where + ": data_offsets");
    tensor.bytes = interval(offsets, byte_size(tensor.shape, *type, where), where);
    return tensor;
  }

  // Requires the tensors, sorted by offset, to leave no gap, not to overlap, and to end at the
  // file's end.
  void check_tiling(std::vector<StoredTensor>& tensors) const {
    std::ranges::stable_sort(tensors, [](const StoredTensor& a, const StoredTensor& b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    const std::byte* end = buffer_.data();
    for (const StoredTensor& tensor : tensors) {
      if (tensor.bytes.data() != end)
        throw input_error("{}: tensor '{}' begins at {}, expected {}, where the one before ends",
                          path_, printable(tensor.name), tensor.bytes.data() - buffer_.data(),
                          end - buffer_.data());
      end += tensor.bytes.size();
    }
    if (end != buffer_.data() + buffer_.size())
      throw input_error("{}: the tensors end at {} of {} bytes of data, expected at the file's end",
                        path_, end - buffer_.data(), buffer_.size());
  }

 private:
  static std::vector<std::uint64_t> numbers(const SortedJson& json, const std::string& where) {
    if (!json.is_array()) throw input_error("{}: expected a list of whole numbers", where);
    std::vector<std::uint64_t> numbers;
    for (const SortedJson& number : json) {
      if (!number.is_number_unsigned() || number.get<std::uint64_t>() >> 62)
        throw input_error("{}: expected whole numbers of at least 0 and below 2^62", where);
      numbers.push_back(number.get<std::uint64_t>());
    }
    return numbers;
  }

  static std::uint64_t byte_size(std::span<const std::int64_t> shape, const TypeRow& type,
                                 const std::string& where) {
    const auto count = product(shape);
    if (!count || *count > (std::uint64_t{1} << 62) / type.bits || *count * type.bits % 8 != 0)
      throw input_error("{}: shape {} of {} has no valid size in bytes", where, shape_text(shape),
                        type.name);
    return *count * type.bits / 8;
  }

  std::span<const std::byte> interval(std::span<const std::uint64_t> offsets, std::uint64_t size,
                                      const std::string& where) const {
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > buffer_.size())
      throw input_error("{}: data_offsets are not [begin, end] within the {} bytes of data", where,
                        buffer_.size());
    if (offsets[1] - offsets[0] != size)
      throw input_error("{}: data_offsets hold {} bytes, its shape and dtype need {}", where,
                        offsets[1] - offsets[0], size);
    return buffer_.subspan(offsets[0], size);
  }

  std::string path_;
  std::span<const std::byte> buffer_;
};

void check_metadata(const SortedJson& json, const Path& path) {
  bool texts = json.is_object();
  if (texts)
    for (const SortedJson& value : json) texts = texts && value.is_string();
  if (!texts)
    throw input_error("{}: __metadata__: expected an object whose values are strings",
                      path.string());
}

}  // namespace

std::vector<StoredTensor> read_safetensors(const Path& path, const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length)
    throw input_error("{}: is {} bytes, too short for a safetensors header", path.string(),
                      bytes.size());
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMostHeader || length > bytes.size() - sizeof length)
    throw input_error("{}: its first 8 bytes promise a header of {} bytes; the file is {} bytes",
                      path.string(), length, bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof length, length);
  if (!text.starts_with('{'))
    throw input_error("{}: the header does not begin with '{{'", path.string());
  const SortedJson json = parse_strict_json(text, path.string() + ": header");
  const HeaderReader reader(path, bytes.subspan(sizeof length + length));
  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") {
      check_metadata(entry, path);
    } else {
      tensors.push_back(reader.entry(name, entry));
    }
  }
  reader.check_tiling(tensors);
  return tensors;
}

std::uint64_t TensorOutline::bytes() const {
  const auto count = product(shape);
  const auto size = count ? encoded_bytes(element, *count) : std::nullopt;
  ST_CHECK(size, "{} {} as {}", name, shape_text(shape), element_name(element));
  return *size;
}

std::string safetensors_header(const std::vector<TensorOutline>& tensors) {
  Json json = {{"__metadata__", {{"format", "pt"}}}};  // older readers refuse files without it
  std::string text = json.dump();
  text.pop_back();
  std::uint64_t begin = 0;
  for (const TensorOutline& tensor : tensors) {
    const std::uint64_t end = begin + tensor.bytes();
    const Json entry = {{"dtype", type_name(tensor.element)},
                        {"shape", tensor.shape},
                        {"data_offsets", {begin, end}}};
    text += "," + Json(tensor.name).dump() + ":" + entry.dump();
    begin = end;
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

}  // namespace stagedtrain::hub
