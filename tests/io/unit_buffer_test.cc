// Laying over units: what is written, what is zeroed, and what stays as it was.
#include "io/unit_buffer.h"

#include "support/catch.h"
#include "support/file_fault.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::bytes_of;

namespace {

constexpr std::size_t kUnit = OutputFile::kDirectUnit, kOld = 5 * kUnit;

// Lays one stretch over an old file of x.
std::string laid_over(std::uint64_t offset, std::size_t size, Rest rest) {
  const test::TempDir folder;
  test::write_text(folder / "a", std::string(kOld, 'x'));
  OutputFile file(folder / "a", OutputFile::Mode::existing);
  UnitBuffer buffer(3 * kUnit);
  buffer.begin(offset);
  buffer.add(offset, bytes_of(std::string(size, 'y')));
  buffer.write(file, rest);
  file.close();
  return test::read_text(folder / "a");
}

}  // namespace

TEST_CASE("what does not fill a unit leaves the others of its units as they are") {
  const std::size_t offset = GENERATE(0, 1, kUnit - 1, kUnit, kUnit + 7);
  const std::size_t size = GENERATE(1, 10, kUnit - 1, kUnit, kUnit + 1, 3 * kUnit);
  CHECK(laid_over(offset, size, Rest::kept) ==
        std::string(kOld, 'x').replace(offset, size, std::string(size, 'y')));
}

TEST_CASE("the rest of the last unit is zeroed where it may be") {
  const std::size_t size = GENERATE(1, kUnit - 1, kUnit, kUnit + 1, 3 * kUnit);
  const std::size_t whole = (size + kUnit - 1) / kUnit * kUnit;
  const std::string unit = std::string(size, 'y') + std::string(whole - size, '\0');
  CHECK(laid_over(kUnit, size, Rest::zeroed) == std::string(kOld, 'x').replace(kUnit, whole, unit));
}

TEST_CASE("a buffer that was used before holds nothing of it") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  UnitBuffer buffer(2 * kUnit);
  buffer.begin(0);
  buffer.add(0, bytes_of(std::string(2 * kUnit, 'x')));
  buffer.begin(0);
  buffer.add(0, bytes_of("one"));
  buffer.add(10, bytes_of("two"));
  buffer.write(file, Rest::zeroed);
  file.close();
  CHECK(test::read_text(folder / "a") ==
        "one" + std::string(7, '\0') + "two" + std::string(kUnit - 13, '\0'));
}
