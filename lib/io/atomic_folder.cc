// Makes a folder appear by one rename. An existing folder is exchanged, so its name always refers
// to a complete folder.
#include "io/atomic_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "io/temporary_name.h"

namespace stagedtrain {

void refuse_folder(const Path& path, bool force,
                   const std::function<bool(const std::string& name)>& may_replace) {
  std::error_code ignored;
  const auto status = std::filesystem::symlink_status(path, ignored);
  if (!std::filesystem::exists(status)) return;
  if (!std::filesystem::is_directory(status))
    throw usage_error("{}: exists and is not a folder, so it is never replaced", path.string())
        .with_hint("choose another name");
  if (!force)
    throw usage_error("{}: exists already", path.string())
        .with_hint("give --force to replace it, or choose another name");
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (!may_replace(entry.path().filename().string()) || !entry.is_regular_file(ignored))
      throw usage_error("{}: holds {}, which is not part of an exported model, so it is not "
                        "replaced", path.string(), entry.path().filename().string())
          .with_hint("choose another name");
}

AtomicFolder::AtomicFolder(Path target, Replace replace)
    : target_(std::move(target)), replace_(replace) {
  if (!target_.has_filename()) target_ = target_.parent_path();  // "out/"
  remove_leftovers_of(target_);
  while (!make_and_hold()) continue;
}

// Returns false if another process took the new folder for a leftover before it was locked.
bool AtomicFolder::make_and_hold() {
  temporary_ = temporary_name(target_);
  std::error_code code;
  if (!std::filesystem::create_directory(temporary_, code))
    throw resource_error("{}: cannot make the folder: {}", temporary_.string(),
                         code ? code.message() : "it exists");
  descriptor_ = ::open(temporary_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0 && errno != ENOENT) {
    const std::string why = std::strerror(errno);
    std::filesystem::remove(temporary_, code);
    throw resource_error("{}: cannot open the folder: {}", temporary_.string(), why);
  }
  if (descriptor_ >= 0 && hold_temporary(descriptor_)) return true;
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  return false;
}

// The temporary name now refers to an unfinished folder, or to the one that was replaced.
AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(temporary_, ignored);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AtomicFolder::commit() {
  sync_folder(temporary_);
  if (replace_ == Replace::yes && std::filesystem::exists(target_)) {
    if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0)
      throw resource_error("{}: cannot exchange with the folder that is there: {}",
                           target_.string(), std::strerror(errno))
          .with_hint("remove the old folder first");
  } else {
    rename_file(temporary_, target_, replace_);
  }
  sync_folder(target_.parent_path());
}

}  // namespace stagedtrain
