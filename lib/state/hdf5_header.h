// A dataset's object header, read and completed as bytes where it has the plain form in which this
// program writes it: HDF5 takes 50 us over what takes one here, and a checkpoint has thousands.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "state/hdf5_handle.h"

namespace stagedtrain::state {

// What the header at this address says (type, shape, offset, bytes, checksums), its own checksum
// verified and the shape small enough for a file of file_bytes; nothing where it is damaged, of any
// other form, or no dataset's: then HDF5 has the word.
std::optional<Dataset> read_plain_header(const Store& store, std::uint64_t address,
                                         std::uint64_t file_bytes);
// Puts these into the attribute crc32c. Returns false, and changes nothing, where the header is not
// plain or has another number of them.
bool replace_checksums(SparseImage& image, std::uint64_t address,
                       std::span<const std::uint32_t> checksums);
// The checksum that HDF5 keeps of its structure: Bob Jenkins' lookup3, from 0.
std::uint32_t lookup3(std::span<const std::byte> bytes);

}  // namespace stagedtrain::state
