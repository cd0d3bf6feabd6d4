// Reading how a file is laid out, trusting nothing that it says.
#include <algorithm>

#include "base/error.h"
#include "state/blocks.h"
#include "state/hdf5_header.h"

namespace stagedtrain::state {
namespace {

ElementType read_type(hid_t dataset) {
  const Handle type(H5Dget_type(dataset), H5Tclose, "its element type cannot be read");
  for (const ElementType known : {ElementType::u8, ElementType::f32, ElementType::f64})
    if (H5Tequal(type, hdf5_type(known)) > 0) return known;
  throw HdfFailure{"its elements are not float32, float64 or uint8, little endian"};
}

// A simple dataspace's sizes, each positive, together at most limit elements.
std::vector<std::int64_t> read_shape(hid_t space, std::uint64_t limit) {
  hsize_t sizes[H5S_MAX_RANK];
  const int rank =
      require(H5Sget_simple_extent_dims(space, sizes, nullptr), "its shape cannot be read");
  std::uint64_t count = 1;
  std::vector<std::int64_t> shape;
  for (int i = 0; i < rank; ++i) {
    if (sizes[i] == 0 || sizes[i] > limit / count)
      throw HdfFailure{"its shape does not fit into the file"};
    count *= sizes[i];
    shape.push_back(static_cast<std::int64_t>(sizes[i]));
  }
  if (rank == 0) throw HdfFailure{"it has no shape"};
  return shape;
}

std::vector<std::uint32_t> read_checksums(hid_t dataset, std::uint64_t count) {
  if (H5Aexists(dataset, "crc32c") <= 0) throw HdfFailure{"it has no attribute crc32c"};
  const Handle attribute(H5Aopen(dataset, "crc32c", H5P_DEFAULT), H5Aclose,
                         "its checksums cannot be read");
  const Handle type(H5Aget_type(attribute), H5Tclose, "its checksums cannot be read");
  const Handle space(H5Aget_space(attribute), H5Sclose, "its checksums cannot be read");
  if (H5Tequal(type, H5T_STD_U32LE) <= 0 ||
      H5Sget_simple_extent_npoints(space) != static_cast<hssize_t>(count))
    throw HdfFailure{fmt::format("its attribute crc32c is not {} values of uint32", count)};
  std::vector<std::uint32_t> checksums(count);
  require(H5Aread(attribute, H5T_STD_U32LE, checksums.data()), "its checksums cannot be read");
  return checksums;
}

bool in_file(const Dataset& dataset, std::uint64_t file_bytes) {
  return dataset.offset % element_size(dataset.type) == 0 && dataset.offset <= file_bytes &&
         dataset.bytes <= file_bytes - dataset.offset;
}

// By HDF5's own calls, which know every form of a dataset: for those that are not plain, and to say
// what is wrong with one.
void read_dataset(hid_t id, std::uint64_t file_bytes, Dataset& dataset) {
  dataset.type = read_type(id);
  const Handle space(H5Dget_space(id), H5Sclose, "its shape cannot be read");
  dataset.shape = read_shape(space, file_bytes / element_size(dataset.type));
  dataset.bytes = element_size(dataset.type);
  for (const std::int64_t size : dataset.shape) dataset.bytes *= static_cast<std::uint64_t>(size);
  const Handle creation(H5Dget_create_plist(id), H5Pclose, "its layout cannot be read");
  if (H5Pget_layout(creation) != H5D_CONTIGUOUS || H5Pget_external_count(creation) != 0)
    throw HdfFailure{"it is not contiguous"};
  dataset.offset = H5Dget_offset(id);
  if (dataset.offset == HADDR_UNDEF || !in_file(dataset, file_bytes) ||
      H5Dget_storage_size(id) != dataset.bytes)
    throw HdfFailure{fmt::format("its place (byte {}, {} bytes) is not in the file", dataset.offset,
                                 dataset.bytes)};
  dataset.checksums = read_checksums(id, num_blocks(dataset.bytes));
}

// Datasets are added to out; a group is walked if it lies in the root.
class Walk {
 public:
  Walk(const Store& store, std::vector<Dataset>& out) : store_(store), out_(out) {}

  void group(hid_t group, const std::string& name) {
    for (const Link& link : links(group, name.empty() ? "its root" : name)) {
      const std::string path = name.empty() ? link.name : name + "/" + link.name;
      try {
        if (!add_plain(link, name)) add_any(group, link, name);
      } catch (const HdfFailure& failure) {
        throw input_error("{}: {}", path, failure.what);
      }
    }
  }

 private:
  bool add_plain(const Link& link, const std::string& group) {
    auto dataset = read_plain_header(store_, link.address, store_.bytes.size());
    if (!dataset || !in_file(*dataset, store_.bytes.size())) return false;
    dataset->group = group;
    dataset->name = link.name;
    out_.push_back(std::move(*dataset));
    return true;
  }
  void add_any(hid_t parent, const Link& link, const std::string& in) {
    const Handle object(H5Oopen(parent, link.name.c_str(), H5P_DEFAULT), H5Oclose,
                        "it cannot be opened");
    const H5I_type_t type = H5Iget_type(object);
    if (type == H5I_GROUP && in.empty()) return group(object, link.name);
    if (type != H5I_DATASET) throw HdfFailure{"it is neither a dataset nor a group of them"};
    out_.push_back({in, link.name});
    read_dataset(object, store_.bytes.size(), out_.back());
  }

  const Store& store_;
  std::vector<Dataset>& out_;
};

void check_apart(const std::vector<Dataset>& datasets) {
  std::vector<const Dataset*> order;
  for (const Dataset& dataset : datasets) order.push_back(&dataset);
  std::sort(order.begin(), order.end(),
            [](const Dataset* a, const Dataset* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < order.size(); ++i)
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes)
      throw HdfFailure{order[i - 1]->path() + " and " + order[i]->path() + " lie over one another"};
}

// An attribute of the root that is a fixed-length text or a 64-bit number; nothing if it is
// neither.
std::string read_text(hid_t file, const char* name) {
  if (H5Aexists(file, name) <= 0) return "";
  const Handle attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose, name);
  const Handle type(H5Aget_type(attribute), H5Tclose, name),
      space(H5Aget_space(attribute), H5Sclose, name);
  const std::size_t size = H5Tget_size(type);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || size > 256 ||
      H5Sget_simple_extent_npoints(space) != 1)
    return "";
  std::string text(size, '\0');
  require(H5Aread(attribute, type, text.data()), name);
  return text.substr(0, text.find('\0'));
}
std::int64_t read_number(hid_t file, const char* name) {
  if (H5Aexists(file, name) <= 0) return 0;
  const Handle attribute(H5Aopen(file, name, H5P_DEFAULT), H5Aclose, name);
  const Handle type(H5Aget_type(attribute), H5Tclose, name),
      space(H5Aget_space(attribute), H5Sclose, name);
  std::int64_t value = 0;
  if (H5Tequal(type, H5T_STD_I64LE) <= 0 || H5Sget_simple_extent_npoints(space) != 1) return 0;
  require(H5Aread(attribute, H5T_STD_I64LE, &value), name);
  return value;
}

}  // namespace

Structure read_structure(std::span<const std::byte> bytes, const std::string& where,
                         const std::string& format, std::int64_t newest_version) {
  const auto lock = enter_hdf5();
  try {
    const Store store{nullptr, bytes};
    const Handle access = access_to(store);
    const Handle file(H5Fopen("checkpoint", H5F_ACC_RDONLY, access), H5Fclose, "it is damaged");
    Structure structure{read_text(file, "format"), read_number(file, "format_version"), {}};
    if (structure.format != format || structure.format_version < 1 ||
        structure.format_version > newest_version)
      return structure;
    Walk(store, structure.datasets).group(file, "");
    check_apart(structure.datasets);
    return structure;
  } catch (const HdfFailure& failure) {
    throw input_error("{}: {}", where, failure.what);
  } catch (const Error& error) {
    throw Error(error.kind(), where + ": " + error.what(), error.hint());
  }
}

}  // namespace stagedtrain::state
