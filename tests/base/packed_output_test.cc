// Small stretches packed: every byte in its place, zeros between neighbours, nothing else touched.
#include "base/packed_output.h"

#include <atomic>
#include <deque>
#include <memory>

#include "support/catch.h"
#include "support/file_fault.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::bytes_of;

namespace {

struct Out {
  Out(const Path& path, OutputFile::Mode mode)
      : file(path, mode), stream(file, 1 << 20), packed(stream) {}
  void finish() {
    packed.flush();
    stream.drain();
  }
  OutputFile file;
  StreamOutput stream;
  PackedOutput packed;
};

int writes_of(const std::function<void()>& work) {
  std::atomic<int> writes = 0;
  const test::Fault count([&](FileOperation operation, const Path&) {
    writes += operation == FileOperation::write;
    return 0;
  });
  work();
  return writes;
}

}  // namespace

TEST_CASE("neighbours land where they belong, with zeros between them") {
  const test::TempDir folder;
  const std::uint64_t first = GENERATE(0, 8, 4096, 5000);
  std::string expected(first, '\0');
  {
    Out out(folder / "a", OutputFile::Mode::create_new);
    std::deque<std::string> texts;
    std::uint64_t offset = first;
    for (int i = 0; i < 300; ++i) {
      const std::string& text = texts.emplace_back(static_cast<std::size_t>(37 * i + 30000),
                                                   static_cast<char>('a' + i % 26));
      expected.resize(offset, '\0');
      expected += text;
      out.packed.add({offset, bytes_of(text)}, true);
      offset += text.size() + static_cast<std::uint64_t>(i % 3) * 100;
    }
    out.finish();
  }
  CHECK(test::read_text(folder / "a") == expected);
}

TEST_CASE("what lies between stretches that are no neighbours stays") {
  const test::TempDir folder;
  test::write_text(folder / "old", std::string(20000, 'x'));
  const std::string nine(5000, 'y');
  {
    Out out(folder / "old", OutputFile::Mode::existing);
    out.packed.add({100, bytes_of("one")}, true);
    out.packed.add({9000, bytes_of(nine)}, false);
    out.packed.add({50, bytes_of("two")}, true);  // before the last: never a neighbour
    out.finish();
  }
  std::string expected(20000, 'x');
  expected.replace(100, 3, "one").replace(9000, 5000, nine).replace(50, 3, "two");
  CHECK(test::read_text(folder / "old") == expected);
}

TEST_CASE("neighbours whose last unit may be zeroed are one write") {
  const test::TempDir folder;
  const std::string text(3000, 'x');
  const int writes = writes_of([&] {
    Out out(folder / "a", OutputFile::Mode::create_new);
    for (std::uint64_t i = 0; i < 5; ++i)
      out.packed.add({4096 + i * 4096, bytes_of(text), Rest::zeroed}, true);
    out.finish();
  });
  CHECK(writes == 1);
  const std::string unit = text + std::string(1096, '\0');
  CHECK(test::read_text(folder / "a") ==
        std::string(4096, '\0') + unit + unit + unit + unit + unit);
}

TEST_CASE("each is looked at, and held until it is written; without a flush it is dropped") {
  const test::TempDir folder;
  const auto text = std::make_shared<std::string>("text");
  std::atomic<int> looks = 0;
  const auto look = [&](std::uint64_t start, std::span<const std::byte> piece) {
    looks += start == 0 && piece.size() == 4;
  };
  {
    Out out(folder / "a", OutputFile::Mode::create_new);
    out.packed.add({0, bytes_of(*text), Rest::kept, look, text}, true);
    out.packed.add({4, bytes_of(*text), Rest::kept, look, text}, true);
    CHECK(text.use_count() == 3);
    out.finish();
    CHECK(text.use_count() == 1);
    out.packed.add({8, bytes_of("never")}, true);
  }
  CHECK(looks == 2);
  CHECK(test::read_text(folder / "a") == "texttext");
}
