// A folder that appears whole or not at all.
#pragma once

#include <functional>
#include <string>

#include "base/file.h"

namespace stagedtrain {

// Throws Error(usage) if the path exists and force is false, and always if it is anything but a
// folder, or holds something whose name may_replace does not know: a folder of other things is
// never replaced.
void refuse_folder(const Path& path, bool force,
                   const std::function<bool(const std::string& name)>& may_replace);

// Write into path() (made beside the target, with a temporary name) and sync each file, then
// commit(). Without commit the temporary folder is removed.
class AtomicFolder {
 public:
  explicit AtomicFolder(Path target);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  const Path& path() const { return temporary_; }
  // Takes the target's name at once; a folder that had it is removed afterwards.
  void commit();

 private:
  Path target_, temporary_;
};

}  // namespace stagedtrain
