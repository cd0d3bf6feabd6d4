// Where are the tensors of a foreign model in its mapped files, by name?
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"
#include "modelfiles/element.h"

namespace stagedtrain::hub {

// One tensor. shape is row-major, slowest axis first, whatever order the file uses. bytes has
// exactly the size of shape and element, and is valid as long as the mapped file.
struct StoredTensor {
  std::string name;
  Element element = Element::f32;
  std::string type;  // the file's name of the type, for messages: "BF16", "Q4_1", "I64"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// All tensors of a model. Names are unique.
class StoredTensors {
 public:
  // `where` names the model in errors.
  explicit StoredTensors(std::string where) : where_(std::move(where)) {}
  // Adds a file and its tensors, and shares ownership of the file. Throws Error(input) if a name is
  // already present.
  void add(std::shared_ptr<const MappedFile> file, std::vector<StoredTensor> tensors);
  // Returns null if there is no such tensor.
  const StoredTensor* find(const std::string& name) const;
  // Throws Error(input) if there is no such tensor.
  const StoredTensor& at(const std::string& name) const;
  const std::map<std::string, StoredTensor>& all() const { return tensors_; }
  const std::string& where() const { return where_; }
  // Prepends a prefix to every name except those in `but`.
  void add_prefix(const std::string& prefix, const std::set<std::string>& but);
  // Tells the kernel that a tensor will not be read again soon, so that its pages may be evicted.
  void release(const StoredTensor& tensor) const;

 private:
  std::string where_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::map<std::string, StoredTensor> tensors_;
};

}  // namespace stagedtrain::hub
