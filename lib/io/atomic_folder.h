// AtomicFolder makes a folder appear completely or not at all.
#pragma once

#include <functional>
#include <string>

#include "io/file.h"

namespace stagedtrain {

// Throws Error(usage) if the path exists and force is false. Even with force it throws if the path
// is not a folder, or holds anything whose name may_replace refuses: a folder with other contents
// is never replaced.
void refuse_folder(const Path& path, bool force,
                   const std::function<bool(const std::string& name)>& may_replace);

// Write files into path(), a temporary folder beside the target, and sync each of them; then call
// commit(). Without commit() the temporary folder is removed.
class AtomicFolder {
 public:
  // replace: whether commit() may replace a folder of that name.
  explicit AtomicFolder(Path target, Replace replace = Replace::yes);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  const Path& path() const { return temporary_; }
  // Gives the folder the target's name in one step. A folder that had this name is removed
  // afterwards. With Replace::no, throws Error(usage) if there is one by then.
  void commit();

 private:
  bool make_and_hold();

  Path target_, temporary_;
  Replace replace_;
  int descriptor_ = -1;  // locks the temporary folder while it is written
};

}  // namespace stagedtrain
