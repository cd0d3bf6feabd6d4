// Checkpoints: a TrainingState as one HDF5 file (docs/checkpoint-format.md), whole or not there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "state/training_state.h"

namespace stagedtrain::state {

inline constexpr int kFormatVersion = 1;

// Everything of a state but its tensors.
struct StateHeader {
  arch::ModelConfig model;
  DType dtype = DType::f32;
  std::vector<TensorHistory> histories;  // per tensor
  MaskRamp mask;
  Progress progress;
  DataPosition data;
  std::uint64_t seed = 0;
  std::vector<LineageEntry> lineage;
  RunInfo run;
};
StateHeader header_of(const TrainingState& state);
// A state of this header that has no tensors yet.
TrainingState state_of(const StateHeader& header);

// Writes a checkpoint tensor by tensor, in any order; large tensors go past the page cache, and
// threads of the writer's own checksum and write them. The target appears at commit(): temporary
// file, fsync, read back and verified (see CheckpointReader::verify; kVerified), rename,
// fsync of the folder. Without commit nothing is left. Throws Error(resource) with the bytes needed
// if the disk is full; an existing target is untouched until the rename.
class CheckpointWriter {
 public:
  // Structure and metadata are always read back; of the tensors about so many bytes, or a 64th of
  // them if that is more (all, where they are few): reading all would take as long as writing did.
  // `show` reads everything, and whoever uses a tensor verifies it first.
  static constexpr std::uint64_t kVerified = 32 << 20;

  CheckpointWriter(const Path& target, const StateHeader& header);
  ~CheckpointWriter();
  // Requires: index of param_table(header.model), bytes of the tensor's size; each tensor once.
  // Returns when the bytes may be used for something else.
  void write(Kind kind, std::size_t index, std::span<const std::byte> bytes);
  // The same, returning while the tensor is being written, which is then freed: the next one can be
  // made meanwhile. No more than the model's largest tensor (or 16 MiB) ever waits to be written.
  void write(Kind kind, std::size_t index, HostTensor&& tensor);
  // The same for bytes that stay unchanged as long as owner is held; without one, as the writer.
  void write(Kind kind, std::size_t index, std::span<const std::byte> bytes,
             std::shared_ptr<const void> owner);
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads a checkpoint. The constructor checks structure and metadata (signature, superblock version,
// format version, metadata checksum, every tensor's name, type, shape and place in the file) and
// touches no tensor value; read() verifies a tensor's checksums before it returns. Throws
// Error(input) that says what is wrong with which tensor.
class CheckpointReader {
 public:
  explicit CheckpointReader(const Path& path);
  ~CheckpointReader();
  const StateHeader& header() const;
  const arch::ParamTable& table() const;
  // A verified view into the mapped file; valid for the life of the reader.
  std::span<const std::byte> view(Kind kind, std::size_t index) const;
  HostTensor read(Kind kind, std::size_t index) const;
  // Says that a view will not be needed soon: its pages may leave memory. It stays valid.
  void release(Kind kind, std::size_t index) const;
  // Verifies all tensors, or, if they are more than twice that, about so many bytes of them, as
  // blocks evenly spread over the file (which blocks depends on identity()).
  void verify(std::uint64_t about = ~std::uint64_t{0}) const;
  // Number of checksums that verify() compares: one for each started MiB of every dataset.
  std::uint64_t blocks() const;
  // crc32c over the checksums of all tensors, metadata and tokenizer, 8 hexadecimal digits: the
  // file's identity. States that differ in anything stored have different ones.
  std::string identity() const;
  std::uint64_t file_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

void save(const Path& target, const TrainingState& state);
// The whole state, every checksum verified.
TrainingState load(const Path& path);
// Bytes of a checkpoint of this model, within 16 KiB and 1 KiB for each layer; schedule and
// tokenizer come on top.
std::uint64_t checkpoint_bytes(const arch::ModelConfig& model, DType dtype = DType::f32);

}  // namespace stagedtrain::state
