// The pieces of an exported file: every byte in its place, from any thread and in any order.
#include "hub/piece_output.h"

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "base/parallel.h"
#include "base/rng.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using hub::PieceOutput;
using test::bytes_of;

namespace {

constexpr std::uint64_t kPiece = StreamOutput::kPiece;

std::string noise(std::size_t size) {
  const CounterRng rng(1, 2);
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(rng.bits(i));
  return text;
}

}  // namespace

TEST_CASE("parts land where they belong, from several threads and out of order") {
  const test::TempDir folder;
  const std::string data = noise(2 * kPiece + 54321);
  constexpr std::size_t kPart = 99'991;  // some lie across a border of pieces
  const std::size_t parts = (data.size() + kPart - 1) / kPart;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  PieceOutput out(file, data.size());
  in_parallel(static_cast<std::int64_t>(parts), 1, 4, [&](std::int64_t begin, std::int64_t) {
    const std::size_t part = parts - 1 - static_cast<std::size_t>(begin);
    const auto bytes = bytes_of(data).subspan(part * kPart);
    const std::size_t size = std::min(kPart, bytes.size());
    if (part % 2) return out.write(part * kPart, bytes.first(size));
    out.write(part * kPart, size, [&](std::span<std::byte> to) {
      REQUIRE(to.size() == size);
      std::ranges::copy(bytes.first(size), to.begin());
    });
  });
  out.finish();
  file.close();
  CHECK(test::read_text(folder / "a") == data);
}

TEST_CASE("memory that was used before is overwritten with zeros") {
  const test::TempDir folder;
  constexpr std::uint64_t kPieces = 40;  // more than wait for the disk at a time
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  PieceOutput out(file, kPieces * kPiece);
  const std::string data = noise(kPiece);
  // Every other piece is full, so that its memory has something to overwrite.
  const auto filled = [](std::uint64_t piece) { return piece % 2 ? kPiece - 7 : kPiece; };
  for (std::uint64_t piece = 0; piece < kPieces; ++piece) {
    out.write(piece * kPiece, bytes_of(data).first(filled(piece)));
    out.write_zeros(piece * kPiece + filled(piece), (piece + 1) * kPiece);
  }
  out.finish();
  file.close();
  const std::string written = test::read_text(folder / "a");
  REQUIRE(written.size() == kPieces * kPiece);
  for (std::uint64_t piece = 0; piece < kPieces; ++piece)
    REQUIRE(written.substr(piece * kPiece, kPiece) ==
            data.substr(0, filled(piece)) + std::string(kPiece - filled(piece), '\0'));
}

TEST_CASE("a file with a byte missing or given twice is a bug") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  PieceOutput missing(file, 10);
  missing.write(0, bytes_of("123456789"));
  test::refusal(ErrorKind::bug, [&] { missing.finish(); });
  PieceOutput twice(file, 10);
  twice.write(0, bytes_of("12345"));
  test::refusal(ErrorKind::bug, [&] { twice.write(2, bytes_of("345678")); });
  test::refusal(ErrorKind::bug, [&] { twice.write(kPiece, bytes_of("x")); });
}

TEST_CASE("a full disk is found before the first byte is given") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  const test::Fault fault(FileOperation::allocate, ENOSPC);
  test::refusal(ErrorKind::resource, [&] { PieceOutput(file, 1000); });
}

TEST_CASE("a write that fails is told by finish") {
  const test::TempDir folder;
  OutputFile file(folder / "a", OutputFile::Mode::create_new);
  const test::Fault fault(FileOperation::write, EIO);
  PieceOutput out(file, 1000);
  test::refusal(ErrorKind::resource, [&] {
    out.write(0, bytes_of(std::string(1000, 'x')));
    out.finish();
  });
}
