// Compressed text comes back whole, or is refused: never shorter than it was.
#include "prepare/decompress.h"

#include "support/compressed.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

std::string text_of_size(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i * 7919) + " words\n";
  text.resize(size);
  return text;
}

std::string unpacked(const std::string& packed) {
  std::string text;
  std::size_t read = 0;
  decompress(std::as_bytes(std::span(packed)), "a.gz", [&](std::string_view part) { text += part; },
             [&](std::size_t bytes) { read = bytes; });
  CHECK(read == packed.size());
  return text;
}

}  // namespace

TEST_CASE("gzip and zstd give the text back, several members and frames too") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 18,
                                 (std::size_t{1} << 18) + 1, std::size_t{3000000}}) {
    INFO("size " << size);
    const std::string text = text_of_size(size), zeros(size, '\0');
    for (const auto& pack : {test::gzipped, test::zstd_packed}) {
      CHECK(unpacked(pack(text)) == text);
      CHECK(unpacked(pack(zeros)) == zeros);
      CHECK(unpacked(pack(text) + pack("") + pack(text)) == text + text);
    }
  }
  CHECK(unpacked(test::gzipped("a") + std::string(512, '\0')) == "a");  // padded, as on tapes
}

TEST_CASE("compressed text that was cut short, changed or added to is refused") {
  const std::string text = text_of_size(600000);
  for (const auto& pack : {test::gzipped, test::zstd_packed}) {
    const std::string packed = pack(text);
    const auto refused = [](const std::string& bytes) {
      const std::string message = test::refusal(ErrorKind::input, [&] { unpacked(bytes); });
      CHECK(contains(message, "a.gz: its "));
      CHECK(contains(message, "data cannot be read"));
    };
    for (const std::size_t size : {std::size_t{5}, packed.size() / 2, packed.size() - 1})
      refused(packed.substr(0, size));
    refused(packed + "more");
    refused(pack("a") + packed.substr(0, packed.size() - 1));
  }
  std::string changed = test::gzipped(text);  // zstd's checksum is an option, gzip's is not
  changed[changed.size() / 2] ^= 4;
  CHECK_THROWS_AS(unpacked(changed), Error);
}

TEST_CASE("a small file that claims a window of gigabytes is refused before it is allocated") {
  // Magic number; content size of 4 bytes in a single segment, which is then the window.
  const std::string head("\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x60", 9);
  const std::string message =
      test::refusal(ErrorKind::input, [&] { unpacked(head + std::string(40, 'x')); });
  CHECK(contains(message, "too much memory"));
}

TEST_CASE("compression is told by the first bytes") {
  const auto kind = [](const std::string& bytes) {
    return compression_of(std::as_bytes(std::span(bytes)));
  };
  CHECK(kind(test::gzipped("a")) == Compression::gzip);
  CHECK(kind(test::zstd_packed("a")) == Compression::zstd);
  CHECK(kind("plain text") == Compression::none);
  CHECK(kind("") == Compression::none);
}
