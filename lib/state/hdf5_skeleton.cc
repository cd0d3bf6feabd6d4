// Laying a checkpoint out: groups, datasets and attributes, without the datasets' own bytes.
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "state/blocks.h"
#include "state/hdf5_header.h"

namespace stagedtrain::state {
namespace {

// Object times would make equal states differ as files.
Handle untimed(hid_t kind) {
  Handle properties(H5Pcreate(kind), H5Pclose, "properties");
  require(H5Pset_obj_track_times(properties, false), "times");
  return properties;
}

void write_attribute(hid_t object, const char* name, hid_t type, hid_t space, const void* value) {
  const Handle attribute(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                         name);
  require(H5Awrite(attribute, type, value), name);
}

Handle dataset_properties() {
  Handle creation = untimed(H5P_DATASET_CREATE);
  require(H5Pset_layout(creation, H5D_CONTIGUOUS), "properties");
  require(H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY), "properties");
  require(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "properties");
  return creation;
}

// In the file, or in the group where it has one.
void create_dataset(hid_t parent, hid_t creation, Dataset& dataset) {
  const std::string path = dataset.path();
  const std::vector<hsize_t> shape(dataset.shape.begin(), dataset.shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose, path);
  const Handle id(H5Dcreate2(parent, dataset.name.c_str(), hdf5_type(dataset.type), space,
                             H5P_DEFAULT, creation, H5P_DEFAULT),
                  H5Dclose, path);
  dataset.bytes = H5Dget_storage_size(id);
  dataset.offset = H5Dget_offset(id);
  if (dataset.offset == HADDR_UNDEF) throw HdfFailure{path + ": no space"};
  dataset.checksums.assign(num_blocks(dataset.bytes), 0);
  const hsize_t count = dataset.checksums.size();
  const Handle blocks(H5Screate_simple(1, &count, nullptr), H5Sclose, path);
  write_attribute(id, "crc32c", H5T_STD_U32LE, blocks, dataset.checksums.data());
}

// By name, all that the datasets lie in but the root.
std::map<std::string, Handle> create_groups(hid_t file, const std::vector<Dataset>& datasets) {
  std::map<std::string, Handle> groups;
  const Handle properties = untimed(H5P_GROUP_CREATE);
  for (const Dataset& dataset : datasets)
    if (!dataset.group.empty() && !groups.contains(dataset.group))
      groups.emplace(dataset.group, Handle(H5Gcreate2(file, dataset.group.c_str(), H5P_DEFAULT,
                                                      properties, H5P_DEFAULT),
                                           H5Gclose, dataset.group));
  return groups;
}

std::uint64_t dataset_bytes(const Dataset& dataset) {
  std::uint64_t bytes = element_size(dataset.type);
  for (const std::int64_t size : dataset.shape) bytes *= static_cast<std::uint64_t>(size);
  return bytes;
}

Handle create_file(SparseImage& image) {
  const Handle access = access_to({&image, {}}), creation = untimed(H5P_FILE_CREATE);
  return {H5Fcreate("checkpoint", H5F_ACC_TRUNC, creation, access), H5Fclose, "file"};
}

void write_format(hid_t file, const std::string& format, std::int64_t version) {
  const Handle scalar(H5Screate(H5S_SCALAR), H5Sclose, "scalar"),
      text(H5Tcopy(H5T_C_S1), H5Tclose, "text");
  require(H5Tset_size(text, format.size()), "text");
  require(H5Tset_strpad(text, H5T_STR_NULLPAD), "text");
  write_attribute(file, "format", text, scalar, format.data());
  write_attribute(file, "format_version", H5T_STD_I64LE, scalar, &version);
}

// Where the header of each object lies, by path.
std::map<std::string, std::uint64_t> header_places(SparseImage& image,
                                                   const std::vector<Dataset>& datasets) {
  const Handle access = access_to({&image, {}});
  const Handle file(H5Fopen("checkpoint", H5F_ACC_RDONLY, access), H5Fclose, "file");
  std::map<std::string, std::uint64_t> places;
  std::set<std::string> groups;
  for (const Dataset& dataset : datasets)
    if (!dataset.group.empty()) groups.insert(dataset.group);
  for (const Link& link : links(file, "file")) places.emplace(link.name, link.address);
  for (const std::string& group : groups) {
    const Handle id(H5Gopen2(file, group.c_str(), H5P_DEFAULT), H5Gclose, group);
    for (const Link& link : links(id, group)) places.emplace(group + "/" + link.name, link.address);
  }
  return places;
}

// By HDF5's own calls, for headers that are not plain.
void write_checksums(SparseImage& image, const std::vector<const Dataset*>& datasets) {
  const Handle access = access_to({&image, {}});
  Handle file(H5Fopen("checkpoint", H5F_ACC_RDWR, access), H5Fclose, "file");
  for (const Dataset* dataset : datasets) {
    // Not H5Aopen_by_name: in HDF5 1.10 it binds the attribute to the file's root, not to the
    // dataset, and writing then fails.
    const std::string path = dataset->path();
    const Handle id(H5Dopen2(file, path.c_str(), H5P_DEFAULT), H5Dclose, path);
    const Handle attribute(H5Aopen(id, "crc32c", H5P_DEFAULT), H5Aclose, path);
    require(H5Awrite(attribute, H5T_STD_U32LE, dataset->checksums.data()), path);
  }
  file.close("file");
}

}  // namespace

std::uint64_t expected_file_bytes(std::span<const Dataset> datasets) {
  // What HDF5 says of the file and of a dataset, as measured: names, shapes, places.
  constexpr std::uint64_t kFileStructure = 12 * 1024, kDatasetStructure = 320;
  std::uint64_t total = kFileStructure;
  for (const Dataset& dataset : datasets) {
    const std::uint64_t bytes = dataset_bytes(dataset);
    total += begins_page(bytes) ? (bytes + kPageBytes - 1) / kPageBytes * kPageBytes : bytes;
    total += kDatasetStructure + 4 * num_blocks(bytes);
  }
  return total;
}

struct Skeleton::Open {
  Open(SparseImage& image, const std::vector<Dataset>& datasets)
      : file(create_file(image)),
        groups(create_groups(file, datasets)),
        properties(dataset_properties()) {}

  void create(std::vector<Dataset>& datasets, SizeClass size) {
    for (Dataset& dataset : datasets)
      if (size_class(dataset_bytes(dataset)) == size) {
        const auto group = groups.find(dataset.group);
        create_dataset(group == groups.end() ? file : group->second, properties, dataset);
      }
  }

  Handle file;
  std::map<std::string, Handle> groups;
  Handle properties;
};

Skeleton::Skeleton(const std::string& format, std::int64_t format_version,
                   std::vector<Dataset> datasets)
    : datasets_(std::move(datasets)) {
  const auto lock = enter_hdf5();
  try {
    auto open = std::make_unique<Open>(image_, datasets_);
    write_format(open->file, format, format_version);
    open->create(datasets_, SizeClass::large);
    open_ = std::move(open);
  } catch (const HdfFailure& failure) {
    throw resource_error("cannot lay out a checkpoint: {}", failure.what);
  }
}

Skeleton::~Skeleton() {
  const auto lock = enter_hdf5();
  open_.reset();
}

void Skeleton::lay_out_rest() {
  ST_CHECK(open_, "a checkpoint is laid out twice");
  const auto lock = enter_hdf5();
  try {
    for (const SizeClass size : {SizeClass::paged, SizeClass::small})
      open_->create(datasets_, size);
    open_->groups.clear();
    open_->file.close("file");
    open_.reset();
  } catch (const HdfFailure& failure) {
    throw resource_error("cannot lay out a checkpoint: {}", failure.what);
  }
}

void Skeleton::set_checksums(std::size_t dataset, std::vector<std::uint32_t> checksums) {
  Dataset& target = datasets_.at(dataset);
  ST_CHECK(checksums.size() == target.checksums.size(), "{} checksums for {}", checksums.size(),
           target.path());
  target.checksums = std::move(checksums);
}

const SparseImage& Skeleton::finish() {
  const auto lock = enter_hdf5();
  const std::uint64_t size = image_.size();
  try {
    const auto places = header_places(image_, datasets_);
    std::vector<const Dataset*> others;
    for (const Dataset& dataset : datasets_)
      if (!replace_checksums(image_, places.at(dataset.path()), dataset.checksums))
        others.push_back(&dataset);
    if (!others.empty()) write_checksums(image_, others);
  } catch (const HdfFailure& failure) {
    throw resource_error("cannot complete a checkpoint: {}", failure.what);
  }
  ST_CHECK(image_.size() == size, "a checkpoint grew from {} to {} bytes", size, image_.size());
  return image_;
}

}  // namespace stagedtrain::state
