// Lets HDF5 lay out a file in memory and returns the bytes that make it an HDF5 file.
//
// Goal: h5py and every other HDF5 program can read a checkpoint, but no tensor passes through HDF5,
// which would copy each one and write from one thread. HDF5 creates groups and datasets with its
// stock "core" driver, which keeps the file in memory. A flush would fill that memory up to the
// last byte of the last tensor, so nothing is flushed: closing the file makes HDF5 write its
// structure and return the memory through callbacks.
//
// The layout is decided beforehand (checkpoint/layout.h), and HDF5 is made to agree with it:
// - The structure comes first because its first allocation asks for all the space it will need
//   (H5Pset_meta_block_size).
// - Small datasets come next because they share one block too (H5Pset_small_data_block_size).
// - Large ones begin at multiples of kPageBytes (H5Pset_alignment).
//
// Invariant: every dataset's place, and the end of the file, are compared with the layout. A
// version of HDF5 that behaves differently therefore causes an error, not a damaged file.
//
// Rejected: a memfd, which HDF5 1.10 cannot open by its /proc path; and completing object headers
// with code of our own, which took 1,000 lines to save 20 to 70 ms off the training thread.
#include "checkpoint/hdf5_structure.h"

#include <hdf5.h>

#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/checkpoint_index.h"

namespace stagedtrain::state {
namespace {

// The least number of bytes by which HDF5 enlarges its memory.
constexpr std::size_t kIncrement = 64 << 10;

template <class T>
T require(T result, const std::string& what) {
  if (result >= 0) return result;
  std::string reason;
  const auto innermost = [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
    if (depth == 0 && error->desc) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &reason);
  throw resource_error("cannot lay out a checkpoint: {} (HDF5: {})", what, reason);
}

// An HDF5 identifier that is closed at the end of its scope.
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
  void close(const std::string& what) { require(close_(std::exchange(id_, -1)), what); }

 private:
  hid_t id_;
  Close close_;
};

// ---- The core driver's memory is a vector that we own.

using Image = std::vector<std::byte>;

void* resize_image(size_t size, void* image) try {
  static_cast<Image*>(image)->resize(size);
  return static_cast<Image*>(image)->data();
} catch (const std::bad_alloc&) {
  return nullptr;
}

Handle access_to(Image& image, const Layout& layout) {
  H5FD_file_image_callbacks_t callbacks{};
  callbacks.udata = &image;
  callbacks.udata_copy = [](void* udata) { return udata; };
  callbacks.udata_free = [](void*) -> herr_t { return 0; };
  callbacks.image_malloc = [](size_t size, H5FD_file_image_op_t, void* udata) {
    return resize_image(size, udata);
  };
  callbacks.image_realloc = [](void*, size_t size, H5FD_file_image_op_t, void* udata) {
    return resize_image(size, udata);
  };
  callbacks.image_memcpy = [](void* to, const void* from, size_t size, H5FD_file_image_op_t,
                              void*) { return std::memcpy(to, from, size); };
  callbacks.image_free = [](void*, H5FD_file_image_op_t, void*) -> herr_t { return 0; };

  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file access");
  require(H5Pset_fapl_core(access, kIncrement, false), "driver");
  require(H5Pset_file_image_callbacks(access, &callbacks), "callbacks");
  require(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V110), "version bounds");
  require(H5Pset_alignment(access, kLargeBytes, kPageBytes), "alignment");
  require(H5Pset_meta_block_size(access, layout.structure_bytes), "block of structure");
  require(H5Pset_small_data_block_size(access,
                                       layout.front_bytes - kHeaderBytes - layout.structure_bytes),
          "block of small datasets");
  return access;
}

// ---- What is in the file

// Turns off the times of objects, which would make files of equal states differ.
Handle untimed(hid_t kind) {
  Handle properties(H5Pcreate(kind), H5Pclose, "properties");
  require(H5Pset_obj_track_times(properties, false), "times");
  return properties;
}

Handle create_file(Image& image, const Layout& layout) {
  const Handle access = access_to(image, layout), creation = untimed(H5P_FILE_CREATE);
  require(H5Pset_userblock(creation, kHeaderBytes), "user block");
  return {H5Fcreate("checkpoint", H5F_ACC_TRUNC, creation, access), H5Fclose, "file"};
}

Handle text_type(std::size_t bytes) {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "text");
  require(H5Tset_size(type, bytes), "text");
  require(H5Tset_strpad(type, H5T_STR_NULLPAD), "text");
  return type;
}

Handle row_type() {
  Handle type(H5Tcreate(H5T_COMPOUND, sizeof(IndexRow)), H5Tclose, "row");
  const Handle path = text_type(sizeof IndexRow::dataset);
  require(H5Tinsert(type, "offset", offsetof(IndexRow, offset), H5T_STD_U64LE), "row");
  require(H5Tinsert(type, "bytes", offsetof(IndexRow, bytes), H5T_STD_U64LE), "row");
  require(H5Tinsert(type, "crc32c", offsetof(IndexRow, crc32c), H5T_STD_U32LE), "row");
  require(H5Tinsert(type, "dataset", offsetof(IndexRow, dataset), path), "row");
  return type;
}

Handle element_type(ElementType type) {
  if (type == ElementType::index_row) return row_type();
  const hid_t standard = type == ElementType::u8    ? H5T_STD_U8LE
                         : type == ElementType::f32 ? H5T_IEEE_F32LE
                                                    : H5T_IEEE_F64LE;
  return {H5Tcopy(standard), H5Tclose, "element type"};
}

void write_attribute(hid_t object, const char* name, hid_t type, const void* value) {
  const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose, name);
  const Handle attribute(H5Acreate2(object, name, type, scalar, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                         name);
  require(H5Awrite(attribute, type, value), name);
}

void write_format(hid_t file) {
  const std::int64_t version = kFormatVersion;
  write_attribute(file, "format", text_type(std::strlen(kFormatName)), kFormatName);
  write_attribute(file, "format_version", H5T_STD_I64LE, &version);
}

Handle dataset_properties() {
  Handle creation = untimed(H5P_DATASET_CREATE);
  require(H5Pset_layout(creation, H5D_CONTIGUOUS), "properties");
  require(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY), "properties");
  require(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "properties");
  return creation;
}

void require_place(const std::string& what, std::uint64_t found, std::uint64_t expected) {
  if (found == expected) return;
  throw resource_error("cannot lay out a checkpoint: {} puts {} at byte {}, expected {}",
                       H5_VERS_INFO, what, found, expected)
      .with_hint("build stagedtrain with HDF5 1.10 (Debian's libhdf5-dev)");
}

void create_datasets(hid_t file, const Layout& layout) {
  const Handle of_group = untimed(H5P_GROUP_CREATE), of_dataset = dataset_properties();
  std::map<std::string, Handle> groups;
  std::map<ElementType, Handle> types;
  for (const std::size_t i : layout.file_order) {
    const Dataset& dataset = layout.datasets[i];
    const std::string path = dataset.path();
    if (!dataset.group.empty() && !groups.contains(dataset.group))
      groups.emplace(dataset.group, Handle(H5Gcreate2(file, dataset.group.c_str(), H5P_DEFAULT,
                                                      of_group, H5P_DEFAULT),
                                           H5Gclose, dataset.group));
    if (!types.contains(dataset.type)) types.emplace(dataset.type, element_type(dataset.type));
    const hid_t parent = dataset.group.empty() ? file : hid_t{groups.at(dataset.group)};
    const std::vector<hsize_t> shape(dataset.shape.begin(), dataset.shape.end());
    const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                       H5Sclose, path);
    const Handle id(H5Dcreate2(parent, dataset.name.c_str(), types.at(dataset.type), space,
                               H5P_DEFAULT, of_dataset, H5P_DEFAULT),
                    H5Dclose, path);
    require_place(path, H5Dget_offset(id), dataset.offset);
  }
}

// Returns the end of the file that HDF5 will expect, read from its superblock.
std::uint64_t end_of_file(const Image& image) {
  std::uint64_t end = 0;
  constexpr std::size_t kPlace = kHeaderBytes + 28;
  if (image.size() >= kPlace + sizeof end) std::memcpy(&end, image.data() + kPlace, sizeof end);
  return end;
}

}  // namespace

std::vector<std::byte> hdf5_structure(const Layout& layout) {
  // HDF5 may be built without thread safety, and it prints its errors unless told not to.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  require(H5open(), "library");
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  Image image;
  {
    Handle file = create_file(image, layout);
    write_format(file);
    create_datasets(file, layout);
    file.close("file");
  }
  require_place("the end of the file", end_of_file(image), layout.file_bytes);
  const std::uint64_t structure_end = kHeaderBytes + layout.structure_bytes;
  ST_CHECK(image.size() <= structure_end + kIncrement, "HDF5 needs {} bytes for the structure",
           image.size());
  image.resize(structure_end);
  return image;
}

}  // namespace stagedtrain::state
