// A checkpoint is a TrainingState in one HDF5 file (docs/checkpoint-format.md), written completely
// or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arch/adapters.h"
#include "io/file.h"
#include "state/training_state.h"

namespace stagedtrain::state {

inline constexpr int kFormatVersion = 3;

// Everything in a training state except its tensors.
struct StateHeader {
  arch::ModelConfig model;
  DType dtype = DType::f32;
  std::vector<TensorHistory> histories;  // one for each tensor
  MaskRamp mask;
  Progress progress;
  DataPosition data;
  std::uint64_t seed = 0;
  std::vector<LineageEntry> lineage;
  RunInfo run;
  bool ema = false;           // the state has an average of the weights
  arch::AdapterSet adapters;  // low-rank adapters, which the weights contain already
  std::span<const TensorKind> kinds() const { return tensor_kinds(ema); }
};
StateHeader header_of(const TrainingState& state);
// Returns a state with this header and without tensors, hence without an average of the weights.
TrainingState state_of(const StateHeader& header);

// A checkpoint that is being written, as another process needs to know it.
struct CheckpointFile {
  Path path;  // of the temporary file
  std::uint64_t metadata_bytes = 0, tokenizer_bytes = 0;
};

// Writes a checkpoint tensor by tensor, in any order. Large tensors bypass the page cache; threads
// of the writer compute their checksums and write them.
//
// The target appears at commit(), which writes the rest, syncs the temporary file, reads it back
// and verifies it (kVerified, CheckpointReader::verify), renames it and syncs the folder. Without
// commit() nothing is left behind. An existing target is untouched until the rename.
//
// Throws Error(resource), with the bytes needed, if the disk is full. Throws Error(diverged), from
// the same or a later call, if a tensor holds a value that is not finite: such a state cannot be
// trained on, so it never replaces a good one.
class CheckpointWriter {
 public:
  // Structure and metadata are always read back. Of the tensors, the writer verifies at least
  // kVerified bytes or 1/64, whichever is larger, because reading everything would take as long as
  // writing it did. `show` reads everything, and whoever uses a tensor verifies it first.
  static constexpr std::uint64_t kVerified = 32 << 20;

  // With Replace::no, commit() throws Error(usage) if the target exists by then.
  CheckpointWriter(const Path& target, const StateHeader& header, Replace replace = Replace::yes);
  ~CheckpointWriter();
  // Writes one tensor. index refers to param_table(header.model), bytes must have the tensor's
  // size, and each tensor must be written once. Returns when the caller may reuse the bytes.
  void write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes);
  // Writes one tensor in the background and frees it afterwards, so the caller can make the next
  // one meanwhile. At most the model's largest tensor, or 16 MiB, waits to be written.
  void write(TensorKind kind, std::size_t index, HostTensor&& tensor);
  // Writes bytes in the background that stay unchanged while owner is held. Without an owner they
  // must stay unchanged as long as the writer exists.
  void write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes,
             std::shared_ptr<const void> owner);
  // Writes one tensor of the adapters. index refers to arch::stored_adapters(header.adapters).
  void write_adapter(std::size_t index, std::span<const std::byte> bytes);
  // The file, for a CheckpointPart.
  CheckpointFile file() const;
  // Declares that a CheckpointPart has written a tensor, with these checksums of its blocks.
  void adopt(TensorKind kind, std::size_t index, std::span<const std::uint32_t> checksums);
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Writes some of the large tensors of a checkpoint, into the file that a CheckpointWriter of
// another process has laid out, which adopts them. Both must have the same header. So the processes
// of a run write one file, each through its own connection to a file system that they share.
class CheckpointPart {
 public:
  // Whether a tensor of so many bytes has pages of its own in the file. Others are for the writer.
  static bool may_write(std::uint64_t bytes);
  // Throws Error(resource) if there is no such file, as on a host with another file system.
  CheckpointPart(const CheckpointFile& file, const StateHeader& header);
  ~CheckpointPart();
  // As CheckpointWriter::write does.
  void write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes,
             std::shared_ptr<const void> owner);
  // Returns when everything is on the disk: the checksums of the blocks of all tensors, in the
  // order in which they were written.
  std::vector<std::uint32_t> finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads a checkpoint. The constructor verifies everything except the tensors: header block, index,
// HDF5 structure, metadata, and that the datasets match the model. It reads no tensor value. For
// any bytes whatsoever it either succeeds or throws Error(input), which says what is wrong with
// which part, and it takes no more memory and time than a small multiple of the file's size.
class CheckpointReader {
 public:
  explicit CheckpointReader(const Path& path);
  ~CheckpointReader();
  const StateHeader& header() const;
  const arch::ParamTable& table() const;
  // Returns a view of the mapped file, valid for the life of the reader. The file must have tensors
  // of this kind (StateHeader::kinds). Throws Error(input) unless
  // all of the tensor's checksums match and all its values are finite.
  std::span<const std::byte> view(TensorKind kind, std::size_t index) const;
  HostTensor read(TensorKind kind, std::size_t index) const;
  // Returns the same of a tensor of the adapters, in the order of
  // arch::stored_adapters(header.adapters). Who needs the weights alone does not need it.
  std::span<const std::byte> view_adapter(std::size_t index) const;
  // Returns a view of one block of a tensor, which has kBlockBytes (checkpoint/layout.h), or fewer
  // if it is the last one. For code that passes over a tensor once, on several threads. Throws
  // Error(input) unless the block's checksum matches and all its values are finite.
  std::span<const std::byte> view_block(TensorKind kind, std::size_t index,
                                        std::uint64_t block) const;
  // Asks the disk for a block that is viewed soon.
  void prefetch_block(TensorKind kind, std::size_t index, std::uint64_t block) const;
  // Declares that a block will not be needed soon, as release() does.
  void release_block(TensorKind kind, std::size_t index, std::uint64_t block) const;
  // Returns the same view without any check, for code that describes a file after verify().
  std::span<const std::byte> stored(TensorKind kind, std::size_t index) const;
  // Declares that a view will not be needed soon, so its pages may leave memory. It stays valid.
  void release(TensorKind kind, std::size_t index) const;
  // Verifies the checksums of all tensors. If they have at least twice `about` bytes, verifies a
  // sample of about that size instead: blocks spread evenly over the file, chosen by identity().
  void verify(std::uint64_t about = ~std::uint64_t{0}) const;
  // The number of checksums that verify() compares: one for each block of every dataset.
  std::uint64_t blocks() const;
  // The file's identity, 8 hexadecimal digits: a crc32c over the checksums of all tensors, metadata
  // and tokenizer. States that differ in anything that is stored have different identities.
  std::string identity() const;
  // The same over the tensors alone. Two runs that computed the same have equal values, although
  // their metadata differ in seconds and names.
  std::string tensors_identity() const;
  std::uint64_t file_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

void save(const Path& target, const TrainingState& state, Replace replace = Replace::yes);
// Loads the whole state, except for adapters, and verifies every checksum.
TrainingState load(const Path& path);
// Returns the size of a checkpoint of this model, without its metadata and tokenizer.
std::uint64_t checkpoint_bytes(const arch::ModelConfig& model, DType dtype = DType::f32,
                               bool ema = false);

}  // namespace stagedtrain::state
