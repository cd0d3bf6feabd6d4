// The part of a checkpoint that makes it an HDF5 file. Only writing uses HDF5, and only to lay a
// file out: it never touches the disk, no tensor passes through it, and it never reads.
#pragma once

#include <cstddef>
#include <vector>

#include "state/layout.h"

namespace stagedtrain::state {

// The bytes [0, kHeaderBytes + structure_bytes) of a file of this layout: groups, datasets and the
// attributes format and format_version, behind a header block of zeros. Equal layouts give equal
// bytes. Throws Error(resource) if HDF5 fails or would put a dataset elsewhere than the layout
// does.
std::vector<std::byte> hdf5_structure(const Layout& layout);

}  // namespace stagedtrain::state
