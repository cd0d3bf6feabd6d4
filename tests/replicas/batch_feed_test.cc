// Batches that are read ahead are those of the stream, and count only once they are taken.
#include "replicas/batch_feed.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

namespace stagedtrain::test {
namespace {

constexpr std::int64_t kContext = 8, kVocab = 256;

data::BatchStream stream_of(const TempDir& folder, const std::string& bytes) {
  write_text(folder / "tokens.bin", bytes);
  const auto file = std::make_shared<const data::TokenFile>(folder / "tokens.bin");
  return {file, kContext, kVocab, {3, 0}};
}

// Ids of two bytes, all below the vocabulary.
std::string some_tokens() {
  std::string bytes;
  for (int i = 0; i < 500; ++i) bytes += {static_cast<char>(i * 37 % 251), '\0'};
  return bytes;
}

}  // namespace

TEST_CASE("batches that are read ahead are those of the stream, of any shape") {
  const TempDir folder;
  data::BatchStream stream = stream_of(folder, some_tokens());
  train::BatchFeed feed(stream, at::kCPU, [] {});
  const train::BatchShape shapes[] = {{2, 8}, {3, 4}, {1, 8}, {5, 2}};
  for (const train::BatchShape& shape : shapes) {
    const auto expected = stream.next(shape.sequences, shape.length);
    const train::DeviceBatch found = feed.take(shape);
    CHECK(at::equal(found.tokens_BS, model::to_device(expected, at::kCPU)));
    CHECK(found.rows() == expected.rows);
    CHECK(found.length() == expected.length);
    CHECK(found.next == stream.cursor().index);
    if (&shape + 1 < std::end(shapes)) feed.prepare(*(&shape + 1));
  }
}

TEST_CASE("a batch is prepared once, for the shape that is then taken") {
  const TempDir folder;
  train::BatchFeed feed(stream_of(folder, some_tokens()), at::kCPU, [] {});
  feed.prepare({2, 8});
  CHECK_THROWS_AS(feed.prepare({2, 8}), Error);
  CHECK_THROWS_AS(feed.take({3, 8}), Error);
}

}  // namespace stagedtrain::test
