// Ranges written by several threads: every byte in its place, whatever the alignment; failures.
#include "io/stream_output.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <latch>
#include <set>

#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/refused_calls.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::bytes_of;
using test::Fault;

namespace {

std::string noise(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t x = 1;
  for (char& c : text) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  return text;
}

}  // namespace

TEST_CASE("ranges of any size and alignment land where they belong") {
  const test::TempDir folder;
  const std::string data = noise(3 * StreamOutput::kPiece + 12345);
  const std::size_t from = GENERATE(0, 1, 512), offset = GENERATE(0, 4096, 100);
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  {
    StreamOutput stream(file, 1 << 20);
    stream.write_at({offset, bytes_of(data).subspan(from)});
    stream.write_at({offset + data.size(), bytes_of(data).first(10)});
    stream.drain();
  }
  file.close();
  const std::string written = test::read_text(folder / "a");
  CHECK(written.substr(offset, data.size() - from) == data.substr(from));
  CHECK(written.substr(offset + data.size()) == data.substr(0, 10));
}

TEST_CASE("a range whose last unit may be zeroed never waits for the page cache") {
  const test::TempDir folder;
  const std::string data = noise(2 * StreamOutput::kPiece + 12345);
  std::atomic<int> writes = 0;
  {
    const Fault fault([&](FileOperation operation, const Path&) {
      writes += operation == FileOperation::write;
      return 0;
    });
    OutputFile file(folder / "a", OutputFile::Mode::create_new);
    StreamOutput stream(file, 1 << 30);
    stream.write_at({4096, bytes_of(data), Rest::zeroed});
    stream.drain();
  }
  CHECK(writes == 3);
  CHECK(test::read_text(folder / "a") ==
        std::string(4096, '\0') + data + std::string(4 * 4096 - 12345, '\0'));
}

TEST_CASE("every piece is looked at once, and its owner is let go of when it is written") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  const auto owner = std::make_shared<std::string>(noise(2 * StreamOutput::kPiece + 1));
  std::multiset<std::uint64_t> starts;
  std::mutex mutex;
  std::atomic<std::uint64_t> bytes = 0;
  StreamOutput stream(file, 1);
  const auto look = [&](std::uint64_t start, std::span<const std::byte> piece) {
    bytes += piece.size();
    const std::lock_guard lock(mutex);
    starts.insert(start);
  };
  stream.write_at({0, bytes_of(*owner), Rest::kept, look, owner});
  // The next owner's range does not fit beside it: it is taken when the first is on the disk.
  stream.write_at({64 << 20, bytes_of("end"), Rest::kept, {}, std::make_shared<int>()});
  CHECK(owner.use_count() == 1);
  stream.drain();
  CHECK(starts == std::multiset<std::uint64_t>{0, StreamOutput::kPiece, 2 * StreamOutput::kPiece});
  CHECK(bytes == owner->size());
}

TEST_CASE("what has no owner is taken at once, however much waits") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  const auto owner = std::make_shared<std::string>(noise(4096));
  std::latch given(1);
  StreamOutput stream(file, 1);
  const auto hold = [&](std::uint64_t, std::span<const std::byte>) { given.wait(); };
  stream.write_at({0, bytes_of(*owner), Rest::kept, hold, owner});
  stream.write_at({4096, bytes_of(*owner), Rest::kept, hold, nullptr});
  given.count_down();  // is reached while the first is held
  stream.drain();
  CHECK(test::read_text(folder / "a") == *owner + *owner);
}

TEST_CASE("a write that fails is reported by the next call, and nothing waits for ever") {
  const test::TempDir folder;
  const std::string data = noise(5 * StreamOutput::kPiece);
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  std::atomic<int> writes = 0;
  const Fault fault([&](FileOperation operation, const Path&) {
    return operation == FileOperation::write && ++writes == 3 ? ENOSPC : 0;
  });
  StreamOutput stream(file, 1);
  stream.write_at({0, bytes_of(data)});
  const auto says = test::refusal(ErrorKind::resource, [&] { stream.drain(); });
  CHECK(test::contains(says, "No space left on device"));
  test::refusal(ErrorKind::resource, [&] { stream.write_at({0, bytes_of(data)}); });
  CHECK(writes < 10);
}

TEST_CASE("a file system that refuses direct writes is written to through the cache") {
  const test::TempDir folder;
  const std::string data = noise(2 * StreamOutput::kPiece);
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  std::atomic<int> writes = 0;
  {
    const Fault fault([&](FileOperation operation, const Path&) {
      return operation == FileOperation::write && ++writes == 1 ? EINVAL : 0;
    });
    StreamOutput stream(file, 1 << 30);
    stream.write_at({0, bytes_of(data)});
    stream.drain();
  }
  CHECK(writes == 3);
  CHECK((test::read_text(folder / "a") == data));
}

TEST_CASE("a stream that is given up leaves no thread behind") {
  const test::TempDir folder;
  const std::string data = noise(4 * StreamOutput::kPiece);
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  auto owner = std::make_shared<int>(1);
  {
    StreamOutput stream(file, 1 << 30);
    for (int i = 0; i < 4; ++i) stream.write_at({0, bytes_of(data), Rest::kept, {}, owner});
  }
  CHECK(owner.use_count() == 1);
}

TEST_CASE("where no thread can be started the stream is written all the same, failures included") {
  const test::TempDir folder;
  const std::string data = noise(2 * StreamOutput::kPiece + 12345);
  test::check_child(test::exit_code_of_child([&] {
    test::refuse_threads();
    OutputFile file(folder / "a", OutputFile::Mode::create_new);
    {
      StreamOutput stream(file, 1 << 20);
      auto owner = std::make_shared<const std::string>(data);
      stream.write_at({0, bytes_of(data)});
      stream.write_at({data.size(), bytes_of(*owner), Rest::kept, {}, owner});
      stream.drain();
    }
    const Fault fault(FileOperation::write, EIO);
    StreamOutput failing(file, 1 << 20);
    failing.write_at({0, bytes_of(data)});
    test::refusal(ErrorKind::resource, [&] { failing.drain(); });
    return 0;
  }));
  if (std::filesystem::exists(folder / "a")) CHECK((test::read_text(folder / "a") == data + data));
}

#ifndef __SANITIZE_ADDRESS__  // which cannot go on without memory for a thread

TEST_CASE("where only some threads can be started the stream is written by those") {
  const test::TempDir folder;
  const std::string data = noise(3 * StreamOutput::kPiece);
  const int code = test::exit_code_of_child(
      [&] {
        OutputFile file(folder / "a", OutputFile::Mode::create_new);
        rlimit before{};
        ::getrlimit(RLIMIT_AS, &before);
        std::uint64_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        const rlimit few_stacks{pages * 4096 + (20 << 20), before.rlim_max};
        ::setrlimit(RLIMIT_AS, &few_stacks);
        StreamOutput stream(file, 1 << 20);
        ::setrlimit(RLIMIT_AS, &before);
        stream.write_at({0, bytes_of(data)});
        stream.drain();
        return 0;
      },
      10);
  CHECK(code == 0);
  CHECK((test::read_text(folder / "a") == data));
}

#endif
