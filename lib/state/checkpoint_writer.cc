// Writing: structure laid out in memory, tensors straight to their places, then checked and
// renamed.
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "arch/architectures.h"
#include "base/packed_output.h"
#include "base/text.h"
#include "base/unit_room.h"
#include "state/blocks.h"
#include "state/layout.h"
#include "state/metadata.h"

namespace stagedtrain::state {
namespace {

Dataset bytes_dataset(const char* name, std::string_view bytes) {
  return {"", name, ElementType::u8, {static_cast<std::int64_t>(bytes.size())}};
}
bool has_tokenizer(const RunInfo& run) {
  return !run.tokenizer.empty() && run.tokenizer != "bytes";
}

// The text datasets come last, so that the tensors' offsets are multiples of their element size.
std::vector<Dataset> all_datasets(const arch::ParamTable& table, const StateHeader& header,
                                  const std::string& metadata) {
  std::vector<Dataset> datasets = tensor_datasets(table, header.dtype);
  datasets.push_back(bytes_dataset(kMetadata, metadata));
  if (has_tokenizer(header.run))
    datasets.push_back(bytes_dataset(kTokenizer, header.run.tokenizer));
  return datasets;
}

// Bytes that may wait to be written: the largest tensor, or enough to keep all threads busy.
std::uint64_t most_waiting(const std::vector<Dataset>& datasets) {
  std::uint64_t most = 4 * StreamOutput::kPiece;
  for (const Dataset& dataset : datasets) most = std::max(most, dataset.bytes);
  return most;
}

struct Place {
  std::size_t rank = 0;    // in the order in which they lie in the file
  Rest rest = Rest::kept;  // zeroed if nothing else begins in the disk's unit in which it ends
};

// Of each dataset that is laid out; last: the rest of the one that comes last. Structure lies
// between them too, but is written at the end.
std::vector<Place> places_of(const std::vector<Dataset>& datasets, Rest last) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < datasets.size(); ++i)
    if (datasets[i].bytes > 0) order.push_back(i);
  std::ranges::sort(order, {}, [&](std::size_t i) { return datasets[i].offset; });
  const auto rest_of = [&](std::size_t rank) {
    if (rank + 1 == order.size()) return last;
    const Dataset& dataset = datasets[order[rank]];
    const std::uint64_t end = up_to_unit(dataset.offset + dataset.bytes);
    return datasets[order[rank + 1]].offset >= end ? Rest::zeroed : Rest::kept;
  };
  std::vector<Place> places(datasets.size());
  for (std::size_t rank = 0; rank < order.size(); ++rank)
    places[order[rank]] = {rank, rest_of(rank)};
  return places;
}

// Neighbours in the file, written as one as long as they come in the file's order.
struct Pack {
  PackedOutput out;
  std::size_t last = ~std::size_t{0};  // rank
};

}  // namespace

struct CheckpointWriter::Impl {
  Impl(const Path& target, const StateHeader& header)
      : table(arch::param_table(header.model)),
        metadata(json_text(metadata_json(header), -1)),
        skeleton(kFormatName, kFormatVersion, all_datasets(table, header, metadata)),
        checksums(skeleton.datasets().size()),
        places(places_of(skeleton.datasets(), Rest::kept)),
        atomic(target),
        out(atomic.path(), OutputFile::Mode::truncate),
        stream(out, most_waiting(skeleton.datasets())),
        paged{PackedOutput(stream)},
        small{PackedOutput(stream)} {
    if (has_tokenizer(header.run)) tokenizer = header.run.tokenizer;
  }

  std::size_t tensor(Kind kind, std::size_t index) const {
    ST_CHECK(index < table.size(), "tensor {} of {}", index, table.size());
    return dataset_index(kind, index, table.size());
  }

  // At the first dataset that is not large; the disk has large ones to write by then.
  void lay_out_rest() {
    if (std::exchange(laid_out, true)) return;
    skeleton.lay_out_rest();
    places = places_of(skeleton.datasets(), Rest::zeroed);
  }

  // Before the first dataset is written: to the byte if all is laid out, else to a few pages.
  void reserve_space() {
    if (std::exchange(reserved, true)) return;
    out.allocate(laid_out ? skeleton.file_bytes() : expected_file_bytes(skeleton.datasets()));
  }

  // The bytes must stay until drained or owner is let go of.
  void write(std::size_t index, std::span<const std::byte> bytes,
             std::shared_ptr<const void> owner = nullptr) {
    if (size_class(bytes.size()) != SizeClass::large) lay_out_rest();
    reserve_space();
    const Dataset& dataset = skeleton.datasets().at(index);
    std::vector<std::uint32_t>& sums = checksums[index];
    ST_CHECK(bytes.size() == dataset.bytes, "{} bytes for {}", bytes.size(), dataset.path());
    ST_CHECK(sums.empty(), "{} is written twice", dataset.path());
    sums.resize(num_blocks(bytes.size()));
    const auto look = [&sums](std::uint64_t start, std::span<const std::byte> piece) {
      for (std::uint64_t i = 0; i < num_blocks(piece.size()); ++i)
        sums[start / kBlockBytes + i] = block_checksum(piece, i);
    };
    static_assert(StreamOutput::kPiece % kBlockBytes == 0);
    const Place& place = places[index];
    give(place.rank, {dataset.offset, bytes, place.rest, look, std::move(owner)});
  }

  void give(std::size_t rank, StreamOutput::Stretch stretch) {
    const SizeClass size = size_class(stretch.bytes.size());
    if (size == SizeClass::large) return stream.write_at(std::move(stretch));
    Pack& pack = size == SizeClass::paged ? paged : small;
    const bool follows = rank == std::exchange(pack.last, rank) + 1;
    pack.out.add(std::move(stretch), follows);
  }

  void write_texts() {
    write(3 * table.size(), std::as_bytes(std::span(metadata)));
    if (!tokenizer.empty()) write(3 * table.size() + 1, std::as_bytes(std::span(tokenizer)));
  }

  void drain() {
    paged.out.flush();
    small.out.flush();
    stream.drain();
  }

  // After all datasets: zeros were written where it lies between them.
  void write_structure() {
    for (std::size_t i = 0; i < checksums.size(); ++i) {
      ST_CHECK(!checksums[i].empty(), "{} was not written", skeleton.datasets()[i].path());
      skeleton.set_checksums(i, checksums[i]);
    }
    const SparseImage& structure = skeleton.finish();
    structure.for_each_run(
        [&](std::uint64_t offset, std::span<const std::byte> run) { out.write_at(offset, run); });
    out.truncate(skeleton.file_bytes());
    out.sync();
    // The disk is to be verified, not the cache; it fetches all parts of the structure at once.
    ::posix_fadvise(out.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    structure.for_each_run([&](std::uint64_t offset, std::span<const std::byte> run) {
      ::posix_fadvise(out.descriptor(), static_cast<off_t>(offset), static_cast<off_t>(run.size()),
                      POSIX_FADV_WILLNEED);
    });
    out.close();
  }

  // What the disk gives back is what was written, or the file never takes its name.
  void verify() const try {
    CheckpointReader(atomic.path()).verify(std::max(kVerified, skeleton.file_bytes() / 64));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;  // too little memory is no fault of the disk
    throw resource_error("{}: what was read back is not what was written: {}",
                         atomic.path().string(), error.what())
        .with_hint(
            "the disk or the memory of this machine is faulty; the older checkpoint was kept");
  }

  arch::ParamTable table;
  std::string metadata, tokenizer;
  Skeleton skeleton;
  std::vector<std::vector<std::uint32_t>> checksums;  // of each dataset; empty: not written yet
  std::vector<Place> places;                          // of those that are laid out
  bool laid_out = false;                              // all of them?
  bool reserved = false;
  AtomicFile atomic;
  OutputFile out;  // closed before the temporary file is removed
  StreamOutput stream;
  Pack paged, small;
};

CheckpointWriter::CheckpointWriter(const Path& target, const StateHeader& header)
    : impl_(std::make_unique<Impl>(target, header)) {}
CheckpointWriter::~CheckpointWriter() = default;

// Few bytes are copied, for many it waits.
void CheckpointWriter::write(Kind kind, std::size_t index, std::span<const std::byte> bytes) {
  if (size_class(bytes.size()) == SizeClass::large) {
    impl_->write(impl_->tensor(kind, index), bytes);
    return impl_->stream.drain();
  }
  auto copy = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
  impl_->write(impl_->tensor(kind, index), *copy, copy);
}

void CheckpointWriter::write(Kind kind, std::size_t index, HostTensor&& tensor) {
  auto owner = std::make_shared<const HostTensor>(std::move(tensor));
  const std::span<const std::byte> bytes = owner->bytes();
  impl_->write(impl_->tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::write(Kind kind, std::size_t index, std::span<const std::byte> bytes,
                             std::shared_ptr<const void> owner) {
  impl_->write(impl_->tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::commit() {
  impl_->lay_out_rest();
  impl_->write_texts();
  impl_->drain();
  impl_->write_structure();
  impl_->verify();
  impl_->atomic.commit();
}

}  // namespace stagedtrain::state
