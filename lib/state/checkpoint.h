// Checkpoints: a TrainingState as one HDF5 file (docs/checkpoint-format.md), whole or not there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "state/training_state.h"

namespace stagedtrain::state {

inline constexpr int kFormatVersion = 2;

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
// file, fsync, read back and verified (see CheckpointReader::verify; kVerified), rename, fsync of
// the folder. Without commit nothing is left, and an existing target is untouched until the rename.
// Throws Error(resource) with the bytes needed if the disk is full, and Error(diverged), from the
// same or a later call, if a tensor holds a value that is not finite: such a state cannot be
// trained on, so it never replaces a good one.
class CheckpointWriter {
 public:
  // Structure and metadata are always read back. Of the tensors, kVerified bytes are, or 1/64 of
  // them, whichever is larger: reading all would take as long as writing did. `show` reads
  // everything, and whoever uses a tensor verifies it first.
  static constexpr std::uint64_t kVerified = 32 << 20;

  // With Replace::no, commit() throws Error(usage) if the target exists by then.
  CheckpointWriter(const Path& target, const StateHeader& header, Replace replace = Replace::yes);
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

// Reads a checkpoint. The constructor verifies everything but the tensors (header block, index,
// HDF5's structure, metadata, and that the datasets are those of the model) and touches no tensor
// value. Throws Error(input) that says what is wrong with which part, whatever the bytes are; no
// memory or time is spent beyond a small multiple of the file's size.
class CheckpointReader {
 public:
  explicit CheckpointReader(const Path& path);
  ~CheckpointReader();
  const StateHeader& header() const;
  const arch::ParamTable& table() const;
  // A view into the mapped file, valid for the life of the reader. The tensor's checksums were
  // verified, and all its values are finite, or this throws Error(input).
  std::span<const std::byte> view(Kind kind, std::size_t index) const;
  HostTensor read(Kind kind, std::size_t index) const;
  // The same view without any check, for whoever describes a file after verify().
  std::span<const std::byte> stored(Kind kind, std::size_t index) const;
  // Says that a view will not be needed soon: its pages may leave memory. It stays valid.
  void release(Kind kind, std::size_t index) const;
  // Verifies the checksums of all tensors, or, if they are more than twice that, of about so many
  // bytes of them, as blocks evenly spread over the file (which blocks depends on identity()).
  void verify(std::uint64_t about = ~std::uint64_t{0}) const;
  // Number of checksums that verify() compares: one for each started MiB of every dataset.
  std::uint64_t blocks() const;
  // crc32c over the checksums of all tensors, metadata and tokenizer, 8 hexadecimal digits: the
  // file's identity. States that differ in anything stored have different ones.
  std::string identity() const;
  // The same over the tensors alone. Runs that computed the same have equal ones, though their
  // metadata differ in seconds and names.
  std::string tensors_identity() const;
  std::uint64_t file_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

void save(const Path& target, const TrainingState& state, Replace replace = Replace::yes);
// The whole state, every checksum verified.
TrainingState load(const Path& path);
// Bytes of a checkpoint of this model without its metadata and tokenizer.
std::uint64_t checkpoint_bytes(const arch::ModelConfig& model, DType dtype = DType::f32);

}  // namespace stagedtrain::state
