// Object headers as bytes: the plain ones say what HDF5 says, all others are left to it.
#include "state/hdf5_header.h"

#include <cstring>
#include <string>

#include "base/file.h"
#include "state/blocks.h"
#include "support/catch.h"
#include "support/temp_dir.h"

using namespace stagedtrain;
using state::Dataset;
using state::ElementType;

namespace {

constexpr const char* kFormat = "test";

std::vector<Dataset> datasets() {
  std::vector<Dataset> all;
  for (int i = 0; i < 20; ++i)
    all.push_back({"group", "t" + std::to_string(i), ElementType::f32, {i + 1, 3}});
  all.push_back({"group", "wide", ElementType::f64, {2, 3, 4, 5}});
  all.push_back(
      {"", "blocks", ElementType::u8, {300 << 20}});  // its checksums fill a chunk of its own
  return all;
}

// Checksums that tell datasets and blocks apart.
std::vector<std::uint32_t> made_up(std::size_t dataset, std::size_t count) {
  std::vector<std::uint32_t> sums(count);
  for (std::size_t i = 0; i < count; ++i) sums[i] = static_cast<std::uint32_t>(1000 * dataset + i);
  return sums;
}

// The structure with these checksums in it; the rest is zero.
state::SparseImage completed(state::Skeleton& skeleton) {
  skeleton.lay_out_rest();
  for (std::size_t i = 0; i < skeleton.datasets().size(); ++i)
    skeleton.set_checksums(i, made_up(i, skeleton.datasets()[i].checksums.size()));
  return skeleton.finish();
}

// Every place where a header of version 2 seems to begin.
std::vector<std::uint64_t> header_places(const state::SparseImage& image) {
  std::vector<std::uint64_t> places;
  image.for_each_run([&](std::uint64_t offset, std::span<const std::byte> run) {
    const std::string_view text(reinterpret_cast<const char*>(run.data()), run.size());
    for (std::size_t at = text.find("OHDR"); at != text.npos; at = text.find("OHDR", at + 1))
      places.push_back(offset + at);
  });
  return places;
}

std::vector<std::byte> bytes_at(const state::SparseImage& image, std::uint64_t place) {
  std::vector<std::byte> bytes(400);
  image.read(place, bytes);
  return bytes;
}

// What is read of a header that stands alone in a file.
std::optional<Dataset> read_alone(std::span<const std::byte> bytes) {
  return state::read_plain_header({nullptr, bytes}, 0, std::uint64_t{1} << 30);
}

// A header of 256 bytes of messages, as all of these are, with its checksum made right again.
void sum_again(std::vector<std::byte>& bytes) {
  const std::size_t end = 8 + 256;
  const std::uint32_t sum = state::lookup3(std::span(bytes).first(end));
  std::memcpy(bytes.data() + end, &sum, sizeof sum);
}

}  // namespace

TEST_CASE("lookup3 gives the values that its author published") {
  const std::string_view text = "Four score and seven years ago";
  CHECK(state::lookup3(std::as_bytes(std::span(text))) == 0x17770551);
  CHECK(state::lookup3({}) == 0xdeadbeef);
}

TEST_CASE("every dataset that is laid out has a plain header, which says what was asked for") {
  state::Skeleton skeleton(kFormat, 1, datasets());
  const state::SparseImage image = completed(skeleton);
  std::size_t plain = 0;
  for (const std::uint64_t place : header_places(image)) {
    const auto read = state::read_plain_header({const_cast<state::SparseImage*>(&image), {}}, place,
                                               image.size());
    if (!read) continue;  // a group's
    ++plain;
    std::size_t i = 0;
    while (i < skeleton.datasets().size() && skeleton.datasets()[i].offset != read->offset) ++i;
    REQUIRE(i < skeleton.datasets().size());
    const Dataset& expected = skeleton.datasets()[i];
    CHECK(read->type == expected.type);
    CHECK(read->shape == expected.shape);
    CHECK(read->bytes == expected.bytes);
    CHECK(read->checksums == made_up(i, expected.checksums.size()));
  }
  CHECK(plain == datasets().size());
}

TEST_CASE("HDF5 reads the same structure, with the checksums that were put in") {
  const test::TempDir folder;
  state::Skeleton skeleton(kFormat, 1, datasets());
  const state::SparseImage image = completed(skeleton);
  {
    OutputFile file(folder / "a.h5", OutputFile::Mode::create_new);
    image.for_each_run(
        [&](std::uint64_t offset, std::span<const std::byte> run) { file.write_at(offset, run); });
    file.truncate(image.size());
  }
  const auto lock = state::enter_hdf5();
  const state::Handle file(H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
                           H5Fclose, "file");
  for (std::size_t i = 0; i < skeleton.datasets().size(); ++i) {
    const Dataset& dataset = skeleton.datasets()[i];
    const state::Handle id(H5Dopen2(file, dataset.path().c_str(), H5P_DEFAULT), H5Dclose,
                           "dataset");
    const state::Handle attribute(H5Aopen(id, "crc32c", H5P_DEFAULT), H5Aclose, "attribute");
    std::vector<std::uint32_t> sums(dataset.checksums.size());
    REQUIRE(H5Aread(attribute, H5T_STD_U32LE, sums.data()) >= 0);
    CHECK(sums == made_up(i, sums.size()));
    CHECK(H5Dget_offset(id) == dataset.offset);
  }
}

TEST_CASE("a dataset whose checksums do not fit into a header is laid out and read by HDF5") {
  const test::TempDir folder;
  const std::uint64_t bytes = std::uint64_t{17} << 30;
  state::Skeleton skeleton(kFormat, 1,
                           {{"", "t", ElementType::u8, {static_cast<std::int64_t>(bytes)}}});
  const state::SparseImage image = completed(skeleton);
  for (const std::uint64_t place : header_places(image))
    CHECK(!state::read_plain_header({const_cast<state::SparseImage*>(&image), {}}, place,
                                    image.size()));
  {
    OutputFile file(folder / "a.h5", OutputFile::Mode::create_new);  // nearly all of it a hole
    image.for_each_run(
        [&](std::uint64_t offset, std::span<const std::byte> run) { file.write_at(offset, run); });
    file.truncate(image.size());
  }
  const MappedFile file(folder / "a.h5");
  const state::Structure structure = state::read_structure(file.bytes(), "a", kFormat, 1);
  REQUIRE(structure.datasets.size() == 1);
  CHECK(structure.datasets[0].bytes == bytes);
  CHECK(structure.datasets[0].checksums == made_up(0, state::num_blocks(bytes)));
}

TEST_CASE("a header with a damaged byte is not plain") {
  state::Skeleton skeleton(kFormat, 1, {{"", "t", ElementType::f32, {2, 3}}});
  const state::SparseImage image = completed(skeleton);
  std::vector<std::byte> bytes = bytes_at(image, header_places(image).back());
  REQUIRE(read_alone(bytes));
  for (std::size_t i = 0; i < 8 + 256 + 4; ++i) {
    bytes[i] ^= std::byte{1};
    INFO("byte " << i);
    CHECK(!read_alone(bytes));
    bytes[i] ^= std::byte{1};
  }
  for (const std::size_t length : {0, 4, 13, 100, 267})
    CHECK(!read_alone(std::span(bytes).first(length)));
}

TEST_CASE("a header that says something else under a right checksum is read so, or not at all") {
  state::Skeleton skeleton(kFormat, 1, {{"", "t", ElementType::f32, {2, 3}}});
  const state::SparseImage image = completed(skeleton);
  const std::vector<std::byte> good = bytes_at(image, header_places(image).back());
  for (std::size_t i = 6; i < 8 + 256; ++i)
    for (const int bit : {0, 3, 7}) {
      std::vector<std::byte> bytes = good;
      bytes[i] ^= static_cast<std::byte>(1 << bit);
      sum_again(bytes);
      INFO("byte " << i << " bit " << bit);
      const auto read = read_alone(bytes);
      if (read) {  // only what may differ between datasets does
        CHECK(read->checksums.size() == 1);
        CHECK(read->bytes == 24);
        CHECK((read->type == ElementType::f32 || read->type == ElementType::f64));
      }
    }
}
