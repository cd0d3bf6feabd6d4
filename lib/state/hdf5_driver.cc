// A file driver that keeps HDF5 in memory, and the manners of calling HDF5.
#include "state/hdf5_handle.h"

#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>
#endif

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <new>

namespace stagedtrain::state {
namespace {

static_assert(std::endian::native == std::endian::little,
              "files are little endian, mapped as they are");

struct MemoryFile {
  H5FD_t base{};  // first: HDF5 sees only this
  haddr_t eoa = 0;
  Store store;
};
MemoryFile& memory_file(H5FD_t* file) { return *reinterpret_cast<MemoryFile*>(file); }
const MemoryFile& memory_file(const H5FD_t* file) {
  return *reinterpret_cast<const MemoryFile*>(file);
}

H5FD_t* open_file(const char*, unsigned, hid_t access, haddr_t) {
  const auto* store = static_cast<const Store*>(H5Pget_driver_info(access));
  auto* file = store ? new (std::nothrow) MemoryFile : nullptr;
  if (file) file->store = *store;
  return reinterpret_cast<H5FD_t*>(file);
}
herr_t close_file(H5FD_t* file) {
  delete &memory_file(file);
  return 0;
}
herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA;
  return 0;
}
haddr_t allocate(H5FD_t* file, H5FD_mem_t type, hid_t, hsize_t size) {
  haddr_t& end = memory_file(file).eoa;
  const haddr_t alignment = type == H5FD_MEM_DRAW && begins_page(size) ? kPageBytes : 8;
  const haddr_t place = (end + alignment - 1) / alignment * alignment;
  end = place + size;
  return place;
}
haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t) { return memory_file(file).eoa; }
herr_t set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  memory_file(file).eoa = end;
  return 0;
}
haddr_t get_eof(const H5FD_t* file, H5FD_mem_t) {
  const Store& store = memory_file(file).store;
  return store.image ? store.image->size() : store.bytes.size();
}
herr_t read_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, size_t size, void* out) {
  return memory_file(file).store.read(offset, {static_cast<std::byte*>(out), size}) ? 0 : -1;
}
herr_t write_bytes(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, size_t size,
                   const void* bytes) try {
  SparseImage* image = memory_file(file).store.image;
  if (!image) return -1;
  image->write(offset, {static_cast<const std::byte*>(bytes), size});
  return 0;
} catch (const std::bad_alloc&) {
  return -1;
}
herr_t truncate_file(H5FD_t* file, hid_t, hbool_t) {
  MemoryFile& memory = memory_file(file);
  if (memory.store.image) memory.store.image->set_size(memory.eoa);
  return 0;
}

hid_t driver() {
  static const hid_t id = [] {
    static H5FD_class_t methods{};
#ifdef H5FD_CLASS_VERSION
    methods.version = H5FD_CLASS_VERSION;
    methods.value = static_cast<H5FD_class_value_t>(0x5354);
#endif
    methods.name = "stagedtrain";
    methods.maxaddr = std::numeric_limits<std::int64_t>::max();
    methods.fc_degree = H5F_CLOSE_STRONG;
    methods.fapl_size = sizeof(Store);
    methods.open = open_file;
    methods.close = close_file;
    methods.query = query;
    methods.alloc = allocate;
    methods.get_eoa = get_eoa;
    methods.set_eoa = set_eoa;
    methods.get_eof = get_eof;
    methods.read = read_bytes;
    methods.write = write_bytes;
    methods.truncate = truncate_file;
    const H5FD_mem_t kinds[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(kinds), std::end(kinds), methods.fl_map);
    return H5FDregister(&methods);
  }();
  return id;
}

// From 1.12 on the plain names mean calls that speak of tokens, not addresses.
#if H5_VERSION_GE(1, 12, 0)
using LinkInfo = H5L_info1_t;
constexpr auto each_link = H5Literate1;
#else
using LinkInfo = H5L_info_t;
constexpr auto each_link = H5Literate;
#endif

}  // namespace

bool Store::read(std::uint64_t offset, std::span<std::byte> out) const {
  const std::uint64_t size = image ? image->size() : bytes.size();
  if (offset > size || out.size() > size - offset) return false;
  if (image) {
    image->read(offset, out);
  } else {
    std::memcpy(out.data(), bytes.data() + offset, out.size());
  }
  return true;
}

std::string reason(const std::string& what) {
  std::string text;
  const auto first = [](unsigned depth, const H5E_error2_t* error, void* out) -> herr_t {
    if (depth == 0 && error->desc) *static_cast<std::string*>(out) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first, &text);
  return text.empty() ? what : what + " (HDF5: " + text + ")";
}

std::unique_lock<std::mutex> enter_hdf5() {
  static std::mutex mutex;
  std::unique_lock lock(mutex);
  H5open();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  return lock;
}

Handle access_to(const Store& store) {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file access");
  require(H5Pset_driver(access, driver(), &store), "driver");
  require(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V110), "version bounds");
  require(H5Pset_meta_block_size(access, 16384), "metadata block");
  return access;
}

hid_t hdf5_type(ElementType type) {
  switch (type) {
    case ElementType::u8:
      return H5T_STD_U8LE;
    case ElementType::f32:
      return H5T_IEEE_F32LE;
    case ElementType::f64:
      return H5T_IEEE_F64LE;
  }
  return -1;
}

std::vector<Link> links(hid_t group, const std::string& where) {
  std::vector<Link> found;
  const auto add = [](hid_t, const char* name, const LinkInfo* info, void* out) -> herr_t {
    if (info->type != H5L_TYPE_HARD) return -1;
    static_cast<std::vector<Link>*>(out)->push_back({name, info->u.address});
    return 0;
  };
  require(each_link(group, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, add, &found),
          where + ": its members cannot be listed");
  return found;
}

const char* element_name(ElementType type) {
  constexpr const char* kNames[] = {"uint8", "float32", "float64"};
  return kNames[static_cast<int>(type)];
}

}  // namespace stagedtrain::state
