// Creates the part of a checkpoint that makes it an HDF5 file. Only writing uses HDF5, and only to
// lay out a file in memory: it never touches the disk, sees no tensor, and never reads a file.
#pragma once

#include <cstddef>
#include <vector>

#include "checkpoint/layout.h"

namespace stagedtrain::state {

// Returns the bytes [0, kHeaderBytes + structure_bytes) of a file with this layout: zeros in place
// of the header block, then groups, datasets and the attributes `format` and `format_version`.
// Equal layouts give equal bytes. Throws Error(resource) if HDF5 fails, or would put a dataset in
// another place than the layout does.
std::vector<std::byte> hdf5_structure(const Layout& layout);

}  // namespace stagedtrain::state
