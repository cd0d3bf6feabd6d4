// FolderLock lets one process at a time use a folder.
#pragma once

#include "io/file.h"

namespace stagedtrain {

// Holds an exclusive advisory lock (flock) on folder/lock for its life. An advisory lock excludes
// only processes that ask for it. Somebody may also remove the file; then a second process can lock
// a new file of that name, and neither notices unless it calls check().
class FolderLock {
 public:
  // Throws Error(locked), with the ID of the process that holds the lock, if another process has
  // it. Throws Error(resource) if the file cannot be opened or the file system has no such locks.
  explicit FolderLock(const Path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Throws Error(locked) unless folder/lock is still the file that this object locked. Takes two
  // system calls. Call it before everything that would harm another run, such as each save.
  void check() const;

 private:
  bool is_in_place() const;

  Path folder_;
  int fd_ = -1;
};

}  // namespace stagedtrain
