// Small stretches packed: every byte in its place, zeros between neighbours, nothing else touched.
#include "base/packed_output.h"

#include "support/catch.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

struct Out {
  explicit Out(const Path& path)
      : file(path, OutputFile::Mode::truncate), stream(file, 1 << 20), packed(file, stream) {}
  void finish() {
    packed.flush();
    stream.drain();
  }
  OutputFile file;
  StreamOutput stream;
  PackedOutput packed;
};

}  // namespace

TEST_CASE("neighbours land where they belong, with zeros between them") {
  const test::TempDir folder;
  const std::uint64_t first = GENERATE(0, 8, 4096, 5000);
  std::string expected(first, '\0');
  {
    Out out(folder / "a");
    std::uint64_t offset = first;
    for (int i = 0; i < 300; ++i) {
      const std::string text(static_cast<std::size_t>(37 * i + 30000),
                             static_cast<char>('a' + i % 26));
      expected.resize(offset, '\0');
      expected += text;
      out.packed.write_at(offset, bytes_of(text), true);
      offset += text.size() + static_cast<std::uint64_t>(i % 3) * 100;
    }
    out.finish();
  }
  CHECK(test::read_text(folder / "a") == expected);
}

TEST_CASE("what lies between stretches that are no neighbours stays") {
  const test::TempDir folder;
  test::write_text(folder / "old", std::string(20000, 'x'));
  {
    OutputFile file(folder / "old", OutputFile::Mode::existing);
    StreamOutput stream(file, 1 << 20);
    PackedOutput packed(file, stream);
    packed.write_at(100, bytes_of("one"), true);
    packed.write_at(9000, bytes_of(std::string(5000, 'y')), false);
    packed.write_at(50, bytes_of("two"), true);  // before the last: never a neighbour
    packed.flush();
    stream.drain();
  }
  std::string expected(20000, 'x');
  expected.replace(100, 3, "one").replace(9000, 5000, std::string(5000, 'y')).replace(50, 3, "two");
  CHECK(test::read_text(folder / "old") == expected);
}

TEST_CASE("the bytes are copied, and dropped without a flush") {
  const test::TempDir folder;
  {
    Out out(folder / "a");
    std::string text = "before";
    out.packed.write_at(0, bytes_of(text), true);
    text = "after!";
    out.finish();
    out.packed.write_at(6, bytes_of("never"), false);
  }
  CHECK(test::read_text(folder / "a") == "before");
}
