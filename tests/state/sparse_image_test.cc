// Sparse images: what was written comes back, nothing else takes room.
#include "state/sparse_image.h"

#include <string>
#include <vector>

#include "support/catch.h"

using namespace stagedtrain;
using state::SparseImage;

namespace {

void write(SparseImage& image, std::uint64_t offset, const std::string& text) {
  image.write(offset, std::as_bytes(std::span(text)));
}

std::string read(const SparseImage& image, std::uint64_t offset, std::size_t size) {
  std::string text(size, '?');
  image.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

std::vector<std::pair<std::uint64_t, std::string>> runs(const SparseImage& image) {
  std::vector<std::pair<std::uint64_t, std::string>> found;
  image.for_each_run([&](std::uint64_t offset, std::span<const std::byte> run) {
    found.emplace_back(offset, std::string(reinterpret_cast<const char*>(run.data()), run.size()));
  });
  return found;
}

}  // namespace

TEST_CASE("an image reads back what was written, and zeros between") {
  SparseImage image;
  write(image, 4094, "abcd");  // over the end of a page
  CHECK(read(image, 4093, 6) == std::string("\0abcd\0", 6));
  CHECK(read(image, 1 << 20, 3) == std::string(3, '\0'));
  write(image, 4095, "X");
  CHECK(read(image, 4094, 4) == "aXcd");
}

TEST_CASE("an image of any size costs only what is written") {
  SparseImage image;
  write(image, std::uint64_t{1} << 50, "end");
  CHECK(image.size() == (std::uint64_t{1} << 50) + 3);
  image.set_size(std::uint64_t{1} << 51);
  CHECK(image.size() == std::uint64_t{1} << 51);
  CHECK(runs(image).size() == 1);
}

TEST_CASE("runs are unbroken, in order, and only what was written") {
  SparseImage image;
  write(image, 9000, "later");
  write(image, 10, "ab");
  write(image, 12, "cd");
  write(image, 4090, std::string(20, 'x'));
  CHECK(runs(image) == std::vector<std::pair<std::uint64_t, std::string>>{
                           {10, "abcd"}, {4090, std::string(20, 'x')}, {9000, "later"}});
  CHECK(runs(SparseImage()).empty());
}
