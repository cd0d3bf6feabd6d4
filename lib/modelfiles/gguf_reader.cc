// Reads GGUF files. Every count is checked against the remaining bytes before memory is allocated.
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "base/error.h"
#include "modelfiles/gguf.h"
#include "text/utf8.h"

namespace stagedtrain::hub {
namespace {

// Value types, by ggml's numbers.
enum class Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, list, u64, i64, f64 };

struct TypeName {
  std::uint32_t number;
  const char* name;
};
// All tensor types that ggml has ever had. Only those with an Element can be read.
constexpr TypeName kTensorTypes[] = {
    {0, "F32"},      {1, "F16"},      {2, "Q4_0"},     {3, "Q4_1"},    {6, "Q5_0"},
    {7, "Q5_1"},     {8, "Q8_0"},     {9, "Q8_1"},     {10, "Q2_K"},   {11, "Q3_K"},
    {12, "Q4_K"},    {13, "Q5_K"},    {14, "Q6_K"},    {15, "Q8_K"},   {16, "IQ2_XXS"},
    {17, "IQ2_XS"},  {18, "IQ3_XXS"}, {19, "IQ1_S"},   {20, "IQ4_NL"}, {21, "IQ3_S"},
    {22, "IQ2_S"},   {23, "IQ4_XS"},  {24, "I8"},      {25, "I16"},    {26, "I32"},
    {27, "I64"},     {28, "F64"},     {29, "IQ1_M"},   {30, "BF16"},   {34, "TQ1_0"},
    {35, "TQ2_0"},   {39, "MXFP4"}};

std::string tensor_type_name(std::uint32_t number) {
  for (const TypeName& type : kTensorTypes)
    if (type.number == number) return type.name;
  return fmt::format("number {}", number);
}

Element element_of(std::uint32_t number, const std::string& where) {
  switch (number) {
    case 0: return Element::f32;
    case 1: return Element::f16;
    case 2: return Element::q4_0;
    case 3: return Element::q4_1;
    case 8: return Element::q8_0;
    case 28: return Element::f64;
    case 30: return Element::bf16;
    default: break;
  }
  throw input_error("{}: its type is {}, expected one of F32, F16, BF16, F64, Q8_0, Q4_0, Q4_1",
                    where, tensor_type_name(number))
      .with_hint("take the model's F16 or BF16 file; llama.cpp's llama-quantize also makes one: "
                 "llama-quantize --allow-requantize IN.gguf OUT.gguf F16");
}

// A position in the file that only moves forward and never leaves the file.
class Cursor {
 public:
  Cursor(const Path& path, std::span<const std::byte> bytes) : path_(path.string()), bytes_(bytes) {}

  std::uint64_t place() const { return place_; }
  std::uint64_t left() const { return bytes_.size() - place_; }
  const std::string& path() const { return path_; }
  std::span<const std::byte> take(std::uint64_t size, const char* what) {
    if (size > left())
      throw input_error("{}: {} at byte {} needs {} bytes, {} are left in the file", path_, what,
                        place_, size, left());
    const auto taken = bytes_.subspan(place_, size);
    place_ += size;
    return taken;
  }
  template <class T>
  T number(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }
  std::string_view text(const char* what, std::uint64_t most) {
    const auto size = number<std::uint64_t>(what);
    if (size > most)
      throw input_error("{}: {} at byte {} is {} bytes long, expected at most {}", path_, what,
                        place_ - 8, size, most);
    const auto bytes = take(size, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string name(const char* what, std::uint64_t most) {
    const std::uint64_t place = place_;
    const std::string_view name = text(what, most);
    if (first_bad_utf8(name))
      throw input_error("{}: {} at byte {} is not UTF-8", path_, what, place);
    return std::string(name);
  }
  // Reads a count of items that take at least least_bytes each.
  std::uint64_t bounded_count(const char* what, std::uint64_t least_bytes) {
    const auto count = number<std::uint64_t>(what);
    if (count > left() / least_bytes)
      throw input_error("{}: {} at byte {} is {}, more than the {} bytes that are left can hold",
                        path_, what, place_ - 8, count, left());
    return count;
  }

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
  std::uint64_t place_ = 0;
};

constexpr std::uint64_t kMostKeyBytes = 65535;
constexpr std::uint64_t kMostTextBytes = std::uint64_t{1} << 30;

std::int64_t whole(Cursor& in, Type type) {
  switch (type) {
    case Type::u8: return in.number<std::uint8_t>("a value");
    case Type::i8: return in.number<std::int8_t>("a value");
    case Type::u16: return in.number<std::uint16_t>("a value");
    case Type::i16: return in.number<std::int16_t>("a value");
    case Type::u32: return in.number<std::uint32_t>("a value");
    case Type::i32: return in.number<std::int32_t>("a value");
    case Type::i64: return in.number<std::int64_t>("a value");
    default: break;
  }
  const auto value = in.number<std::uint64_t>("a value");
  if (value >> 63)
    throw input_error("{}: the value at byte {} is {}, expected below 2^63", in.path(),
                      in.place() - 8, value);
  return static_cast<std::int64_t>(value);
}
bool boolean(Cursor& in) {
  const auto value = in.number<std::uint8_t>("a value");
  if (value > 1)
    throw input_error("{}: the boolean at byte {} is {}, expected 0 or 1", in.path(),
                      in.place() - 1, value);
  return value == 1;
}
// Converts a float to the double that its shortest decimal form denotes: 1e-5, not 9.99999975e-6.
double real(Cursor& in, Type type) {
  if (type == Type::f64) return in.number<double>("a value");
  const auto value = in.number<float>("a value");
  return std::isfinite(value) ? std::stod(fmt::format("{}", value)) : static_cast<double>(value);
}

Type value_type(Cursor& in, bool inside_list) {
  const auto number = in.number<std::uint32_t>("a value's type");
  const auto type = static_cast<Type>(number);
  if (number > static_cast<std::uint32_t>(Type::f64) || (inside_list && type == Type::list))
    throw input_error("{}: the value type at byte {} is {}, expected 0 to 12{}", in.path(),
                      in.place() - 4, number, inside_list ? ", and no list in a list" : "");
  return type;
}

GgufValue::List read_list(Cursor& in) {
  const Type type = value_type(in, true);
  if (type == Type::text) {
    std::vector<std::string_view> texts(in.bounded_count("a list's length", 8));
    for (std::string_view& text : texts) text = in.text("a string in a list", kMostTextBytes);
    return texts;
  }
  const std::uint64_t count = in.bounded_count("a list's length", 1);
  if (type == Type::boolean) {
    std::vector<bool> flags;
    for (std::uint64_t i = 0; i < count; ++i) flags.push_back(boolean(in));
    return flags;
  }
  if (type == Type::f32 || type == Type::f64) {
    std::vector<double> numbers;
    for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(real(in, type));
    return numbers;
  }
  std::vector<std::int64_t> numbers;
  for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(whole(in, type));
  return numbers;
}

GgufValue read_value(Cursor& in) {
  const Type type = value_type(in, false);
  switch (type) {
    case Type::f32:
    case Type::f64: return {real(in, type)};
    case Type::boolean: return {boolean(in)};
    case Type::text:
      return {in.text("a string", kMostTextBytes)};
    case Type::list: return {read_list(in)};
    default: return {whole(in, type)};
  }
}

std::map<std::string, GgufValue, std::less<>> read_keys(Cursor& in, std::uint64_t count) {
  std::map<std::string, GgufValue, std::less<>> values;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key = in.name("a key", kMostKeyBytes);
    if (values.contains(key))
      throw input_error("{}: the key '{}' appears twice, expected once", in.path(), printable(key));
    values.emplace(key, read_value(in));
  }
  return values;
}

// A tensor as the header describes it; find_bytes() adds its bytes.
struct TensorEntry {
  StoredTensor tensor;
  std::uint64_t offset = 0, bytes = 0;
};

TensorEntry read_entry(Cursor& in) {
  TensorEntry entry;
  StoredTensor& tensor = entry.tensor;
  tensor.name = in.name("a tensor's name", 255);
  const std::string where = fmt::format("{}: tensor '{}'", in.path(), printable(tensor.name));
  const auto dims = in.number<std::uint32_t>("a tensor's number of axes");
  if (dims < 1 || dims > 4) throw input_error("{}: has {} axes, expected 1 to 4", where, dims);
  for (std::uint32_t i = 0; i < dims; ++i) {
    const auto size = in.number<std::uint64_t>("a tensor's size");
    if (size < 1 || size >> 62)
      throw input_error("{}: a size is {}, expected 1 to 2^62", where, size);
    // GGUF lists the fastest axis first.
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
  }
  const auto type = in.number<std::uint32_t>("a tensor's type");
  tensor.element = element_of(type, where);
  tensor.type = tensor_type_name(type);
  const auto count = product(tensor.shape);
  const auto bytes = count ? encoded_bytes(tensor.element, *count) : std::nullopt;
  if (!bytes || tensor.shape.back() % block_numbers(tensor.element) != 0)
    throw input_error("{}: shape {} has no valid size in bytes for type {}", where,
                      shape_text(tensor.shape), tensor.type);
  entry.bytes = *bytes;
  entry.offset = in.number<std::uint64_t>("a tensor's offset");
  return entry;
}

std::vector<TensorEntry> read_entries(Cursor& in, std::uint64_t count) {
  std::vector<TensorEntry> entries;
  std::set<std::string> names;
  for (std::uint64_t i = 0; i < count; ++i) {
    entries.push_back(read_entry(in));
    if (!names.insert(entries.back().tensor.name).second)
      throw input_error("{}: the tensor '{}' appears twice, expected once", in.path(),
                        printable(entries.back().tensor.name));
  }
  return entries;
}

std::uint64_t padded(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

// Each tensor must begin where the previous one ends, after padding. The last one's padding may be
// missing.
void find_bytes(std::vector<TensorEntry>& entries, const Path& path,
                std::span<const std::byte> data, std::uint64_t alignment) {
  std::uint64_t next = 0;
  for (TensorEntry& entry : entries) {
    const std::string where =
        fmt::format("{}: tensor '{}'", path.string(), printable(entry.tensor.name));
    if (entry.offset != next)
      throw input_error("{}: begins at {} of the data, expected {}, where the one before ends",
                        where, entry.offset, next);
    if (next > data.size() || entry.bytes > data.size() - next)
      throw input_error("{}: needs {} bytes at {} of the data, which is {} bytes: the file is cut "
                        "short", where, entry.bytes, next, data.size());
    entry.tensor.bytes = data.subspan(next, entry.bytes);
    next = padded(next + entry.bytes, alignment);
  }
  if (data.size() > next)
    throw input_error("{}: {} bytes follow the last tensor", path.string(), data.size() - next);
}

std::uint64_t alignment_of(const GgufKeys& keys) {
  const std::int64_t alignment =
      keys.count("general.alignment", static_cast<std::int64_t>(GgufHeader::kAlignment));
  if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)) != 0)
    throw input_error("{}: general.alignment is {}, expected a power of two up to 2^20",
                      keys.where(), alignment);
  return static_cast<std::uint64_t>(alignment);
}

}  // namespace

GgufFile read_gguf(const Path& path, const MappedFile& file) {
  Cursor in(path, file.bytes());
  if (in.number<std::uint32_t>("the magic") != 0x46554747)
    throw input_error("{}: does not begin with GGUF", path.string());
  const auto version = in.number<std::uint32_t>("the version");
  if (version != 2 && version != 3)
    throw input_error("{}: GGUF version {}, expected 2 or 3 (little-endian)", path.string(),
                      version);
  const std::uint64_t tensors = in.bounded_count("the number of tensors", 24);
  const std::uint64_t pairs = in.bounded_count("the number of keys", 13);
  GgufFile found{GgufKeys(path.string(), read_keys(in, pairs)), {}};
  std::vector<TensorEntry> entries = read_entries(in, tensors);
  const std::uint64_t alignment = alignment_of(found.keys);
  const std::uint64_t start = std::min<std::uint64_t>(padded(in.place(), alignment),
                                                      file.bytes().size());
  find_bytes(entries, path, file.bytes().subspan(start), alignment);
  for (TensorEntry& entry : entries) found.tensors.push_back(std::move(entry.tensor));
  return found;
}

// ---- Typed access.

template <class T>
const T* GgufKeys::find(const std::string& key, const char* expected) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  const T* value = std::get_if<T>(&found->second.value);
  if (!value) throw input_error("{}: {}: expected {}", where_, key, expected);
  return value;
}

std::int64_t GgufKeys::count(const std::string& key) const {
  if (!has(key)) throw input_error("{}: has no key {}", where_, key);
  return count(key, 0);
}

std::int64_t GgufKeys::count(const std::string& key, std::int64_t otherwise) const {
  const std::int64_t* value = find<std::int64_t>(key, "one whole number");
  if (value && *value < 0)
    throw input_error("{}: {} is {}, expected at least 0", where_, key, *value);
  return value ? *value : otherwise;
}

double GgufKeys::number(const std::string& key, double otherwise) const {
  const double* value = find<double>(key, "a number");
  if (value && !std::isfinite(*value))
    throw input_error("{}: {} is not a finite number", where_, key);
  return value ? *value : otherwise;
}

bool GgufKeys::flag(const std::string& key, bool otherwise) const {
  const bool* value = find<bool>(key, "true or false");
  return value ? *value : otherwise;
}

std::string GgufKeys::text(const std::string& key, const std::string& otherwise) const {
  const std::string_view* value = find<std::string_view>(key, "a string");
  return value ? std::string(*value) : otherwise;
}

std::vector<std::string_view> GgufKeys::texts(const std::string& key) const {
  const auto* list = find<GgufValue::List>(key, "a list");
  if (!list) return {};
  const auto* texts = std::get_if<std::vector<std::string_view>>(list);
  if (!texts) throw input_error("{}: {}: expected a list of strings", where_, key);
  return *texts;
}

std::vector<std::int64_t> GgufKeys::integers(const std::string& key) const {
  const auto* list = find<GgufValue::List>(key, "a list");
  if (!list) return {};
  const auto* numbers = std::get_if<std::vector<std::int64_t>>(list);
  if (!numbers) throw input_error("{}: {}: expected a list of whole numbers", where_, key);
  return *numbers;
}

std::vector<double> GgufKeys::numbers(const std::string& key) const {
  const auto* list = find<GgufValue::List>(key, "a list");
  if (!list) return {};
  const auto* numbers = std::get_if<std::vector<double>>(list);
  if (!numbers) throw input_error("{}: {}: expected a list of floats", where_, key);
  return *numbers;
}

std::vector<std::string> GgufKeys::beginning_with(const std::string& prefix) const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_)
    if (key.starts_with(prefix)) keys.push_back(key);
  return keys;
}

}  // namespace stagedtrain::hub
