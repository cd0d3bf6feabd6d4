// How are GGUF files read and written (ggml's docs/gguf.md)? Typed key-value pairs, then tensors at
// aligned offsets.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "modelfiles/safetensors.h"
#include "modelfiles/stored_tensors.h"

namespace stagedtrain::hub {

// A value. Integers of all widths are stored as int64, floats as double. Lists have elements of one
// type and are never nested. Texts are views into the mapped file.
struct GgufValue {
  using List = std::variant<std::vector<std::int64_t>, std::vector<double>,
                            std::vector<std::string_view>, std::vector<bool>>;
  std::variant<std::int64_t, double, bool, std::string_view, List> value;
};

// The keys of one file, with typed access. Errors are Error(input) that name the file and the key.
class GgufKeys {
 public:
  GgufKeys(std::string where, std::map<std::string, GgufValue, std::less<>> values)
      : where_(std::move(where)), values_(std::move(values)) {}
  bool has(const std::string& key) const { return values_.contains(key); }
  std::int64_t count(const std::string& key) const;  // required; at least 0
  std::int64_t count(const std::string& key, std::int64_t otherwise) const;
  double number(const std::string& key, double otherwise) const;
  bool flag(const std::string& key, bool otherwise) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  std::vector<std::string_view> texts(const std::string& key) const;  // empty if missing
  std::vector<std::int64_t> integers(const std::string& key) const;   // empty if missing
  std::vector<double> numbers(const std::string& key) const;          // empty if missing
  const std::string& where() const { return where_; }
  // Returns the keys that begin with this prefix.
  std::vector<std::string> beginning_with(const std::string& prefix) const;

 private:
  template <class T>
  const T* find(const std::string& key, const char* expected) const;
  std::string where_;
  std::map<std::string, GgufValue, std::less<>> values_;
};

struct GgufFile {
  GgufKeys keys;
  std::vector<StoredTensor> tensors;
};
// Reads versions 2 and 3, which have the same layout. Every size is checked against the file, and
// there is no recursion. As in ggml, the tensors must tile the data section. Throws Error(input),
// which names a quantised type that cannot be read.
GgufFile read_gguf(const Path& path, const MappedFile& file);

// Collects keys in order and returns the header, that is, all bytes before the tensor data.
class GgufHeader {
 public:
  static constexpr std::uint64_t kAlignment = 32;
  void add(const std::string& key, std::uint32_t value);
  void add(const std::string& key, float value);
  void add(const std::string& key, bool value);
  void add(const std::string& key, std::string_view value);
  void add(const std::string& key, const std::vector<std::string>& values);
  void add(const std::string& key, const std::vector<std::int32_t>& values);
  void add(const std::string& key, const std::vector<float>& values);
  // Returns the header, padded to kAlignment. The tensors must follow in this order, each padded
  // with zeros to kAlignment.
  std::string bytes(const std::vector<TensorOutline>& tensors) const;

 private:
  void key(const std::string& key, std::uint32_t type);
  std::string keys_;
  std::uint64_t count_ = 0;
};
constexpr std::uint64_t gguf_padded(std::uint64_t size) {
  return (size + GgufHeader::kAlignment - 1) / GgufHeader::kAlignment * GgufHeader::kAlignment;
}

}  // namespace stagedtrain::hub
