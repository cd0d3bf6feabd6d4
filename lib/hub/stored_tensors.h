// The tensors of a foreign model, by name, where they lie in mapped files.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "hub/element.h"

namespace stagedtrain::hub {

// One tensor. shape is row-major, the slowest axis first, whatever order the file writes. bytes are
// exactly those of shape and element, and live as long as the file that they lie in.
struct StoredTensor {
  std::string name;
  Element element = Element::f32;
  std::string type;  // as the file names it, for messages: "BF16", "Q4_1", "I64"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// All tensors of a model. Names are unique.
class StoredTensors {
 public:
  // where names the model in errors.
  explicit StoredTensors(std::string where) : where_(std::move(where)) {}
  // Takes the file and the tensors that lie in it. Throws Error(input) at a name that is there.
  void add(std::shared_ptr<const MappedFile> file, std::vector<StoredTensor> tensors);
  // Null if there is none.
  const StoredTensor* find(const std::string& name) const;
  // Throws Error(input) if there is none.
  const StoredTensor& at(const std::string& name) const;
  const std::map<std::string, StoredTensor>& all() const { return tensors_; }
  const std::string& where() const { return where_; }
  // Puts a prefix before every name but these.
  void add_prefix(const std::string& prefix, const std::set<std::string>& but);
  // Says that a tensor will not be read again soon: its pages may leave memory.
  void release(const StoredTensor& tensor) const;

 private:
  std::string where_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace stagedtrain::hub
