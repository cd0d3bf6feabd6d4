// What the HDF5 files of this room share; the only file that includes hdf5.h. Internal to them.
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "state/hdf5_file.h"

namespace stagedtrain::state {

// HDF5 refused something. Caught inside the room and turned into an Error.
struct HdfFailure {
  std::string what;
};
// HDF5's own words for its innermost failure, after what was attempted.
std::string reason(const std::string& what);
// The result of a call, if it is not negative; throws HdfFailure otherwise.
template <class T>
T require(T result, const std::string& what) {
  if (result < 0) throw HdfFailure{reason(what)};
  return result;
}

// An HDF5 identifier, closed at the end of its scope. Movable.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close, const std::string& what) : id_(require(id, what)), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }
  // For files being written, whose closing can fail.
  void close(const std::string& what) { require(close_(std::exchange(id_, -1)), what); }

 private:
  hid_t id_;
  Close close_;
};

// To be held through every use of HDF5, which may be built without locks and prints its errors
// unless told not to.
std::unique_lock<std::mutex> enter_hdf5();

// Where HDF5 finds its file: an image to write into (and read back), or bytes to read.
struct Store {
  SparseImage* image = nullptr;
  std::span<const std::byte> bytes = {};

  // Returns false where there are not so many bytes.
  bool read(std::uint64_t offset, std::span<std::byte> out) const;
};
// Properties that open a store as a file, in the checksummed formats of HDF5 1.8 to 1.10.
Handle access_to(const Store& store);

hid_t hdf5_type(ElementType type);

struct Link {
  std::string name;
  std::uint64_t address;  // of the header of what it leads to
};
// The members of a group, which where names in messages. All must be hard links.
std::vector<Link> links(hid_t group, const std::string& where);

}  // namespace stagedtrain::state
