// Finds the tensors of a foreign model by name.
#include "modelfiles/stored_tensors.h"

#include "base/error.h"

namespace stagedtrain::hub {

void StoredTensors::add(std::shared_ptr<const MappedFile> file, std::vector<StoredTensor> tensors) {
  files_.push_back(std::move(file));
  for (StoredTensor& tensor : tensors) {
    const std::string name = tensor.name;
    if (!tensors_.emplace(name, std::move(tensor)).second)
      throw input_error("{}: the tensor '{}' appears twice, expected once", where_,
                        printable(name));
  }
}

const StoredTensor* StoredTensors::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const StoredTensor& StoredTensors::at(const std::string& name) const {
  if (const StoredTensor* tensor = find(name)) return *tensor;
  throw input_error("{}: has no tensor '{}', which a model of its configuration needs", where_,
                    name);
}

void StoredTensors::add_prefix(const std::string& prefix, const std::set<std::string>& but) {
  std::map<std::string, StoredTensor> renamed;
  for (auto& [name, tensor] : tensors_) {
    if (!but.contains(name)) tensor.name = prefix + name;
    renamed.emplace(tensor.name, tensor);
  }
  tensors_ = std::move(renamed);
}

void StoredTensors::release(const StoredTensor& tensor) const {
  for (const auto& file : files_) {
    const std::span<const std::byte> all = file->bytes();
    if (tensor.bytes.data() >= all.data() && tensor.bytes.data() < all.data() + all.size())
      return file->release(static_cast<std::uint64_t>(tensor.bytes.data() - all.data()),
                           tensor.bytes.size());
  }
}

}  // namespace stagedtrain::hub
