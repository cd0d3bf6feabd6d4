// Reading past the page cache: any place and size, and where the file ends.
#include "io/direct_input.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;

namespace {

std::string numbered(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + " ";
  text.resize(size);
  return text;
}

std::string read(const DirectInput& input, std::uint64_t offset, std::size_t size,
                 DirectInput::Buffer& buffer) {
  const auto bytes = input.read(offset, size, buffer);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("any stretch of a file comes back, up to its last byte") {
  const test::TempDir folder;
  const std::string text = numbered(20001);
  test::write_text(folder / "a", text);
  const DirectInput input(folder / "a");
  DirectInput::Buffer buffer(9000);
  const std::size_t offset = GENERATE(0, 1, 4095, 4096, 12000), size = GENERATE(0, 1, 4096, 8001);
  CHECK(read(input, offset, size, buffer) == text.substr(offset, size));
  CHECK(read(input, 20000, 1, buffer) == text.substr(20000));
}

TEST_CASE("a file that ends too early, or is not there, is named") {
  const test::TempDir folder;
  test::write_text(folder / "short", "abc");
  DirectInput::Buffer buffer(100);
  const std::string ends =
      test::refusal(ErrorKind::input, [&] { DirectInput(folder / "short").read(0, 4, buffer); });
  CHECK(test::contains(ends, "short: ends before byte 4"));
  CHECK(test::contains(test::refusal(ErrorKind::input, [&] { DirectInput(folder / "none"); }),
                       "none"));
}
