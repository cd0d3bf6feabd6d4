// The lock of a folder: one process at a time may use it.
#pragma once

#include "base/file.h"

namespace stagedtrain {

// Holds an exclusive advisory lock (flock) on folder/lock for its life. Advisory means that only
// processes that ask for it are kept out, and that somebody may remove the file meanwhile: then a
// second process can lock a new file of that name, and neither notices unless it calls check().
class FolderLock {
 public:
  // Throws Error(locked), naming the process that holds it, if another has it, and Error(resource)
  // if the file cannot be opened or the file system has no such locks.
  explicit FolderLock(const Path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Throws Error(locked) unless folder/lock still is the file that this object locked. Two system
  // calls: to be called before everything that would harm another run, such as each save.
  void check() const;

 private:
  bool is_in_place() const;

  Path folder_;
  int fd_ = -1;
};

}  // namespace stagedtrain
