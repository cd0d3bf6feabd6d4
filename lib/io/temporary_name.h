// Names for temporary files and folders beside their target, and the lock by which other processes
// tell one that is being written from one that a killed process left behind.
#pragma once

#include <string>

#include "io/file.h"

namespace stagedtrain {

// Returns "TARGET.tmp-" and 16 hexadecimal digits that no other process chooses. A process ID would
// not be unique, since every container has a process 1.
Path temporary_name(const Path& target);

// Takes the lock of an open temporary file or folder. Returns false if another process removed it
// as a leftover before that. On a file system without locks no process removes leftovers, so the
// result is true.
bool hold_temporary(int descriptor);

}  // namespace stagedtrain
