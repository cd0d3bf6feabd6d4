// Training and evaluation windows: complete, repeatable, resumable.
#include "data/batch_stream.h"

#include <algorithm>
#include <set>

#include "data/permutation.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

// A raw uint16 file in which token i is i, so that every token names its place.
std::shared_ptr<const TokenFile> counting_file(const test::TempDir& folder, std::int64_t count) {
  std::string bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    bytes += static_cast<char>(i & 0xff);
    bytes += static_cast<char>(i >> 8);
  }
  test::write_text(folder / "tokens.bin", bytes);
  return std::make_shared<const TokenFile>(folder / "tokens.bin");
}

constexpr std::int64_t kVocab = 65536;

// The first token of each of the next sequences.
std::vector<std::int32_t> next_starts(BatchStream& stream, std::int64_t sequences,
                                      std::int64_t context) {
  const Batch batch = stream.next(sequences, context);
  std::vector<std::int32_t> starts;
  for (std::int64_t row = 0; row < batch.rows; ++row)
    starts.push_back(batch.tokens[static_cast<std::size_t>(row * (context + 1))]);
  return starts;
}

}  // namespace

TEST_CASE("a permutation visits every index once, whatever its size and key") {
  const std::int64_t size = GENERATE(1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097);
  const std::uint64_t key = GENERATE(0u, 1u, 0xdeadbeefu);
  const Permutation order(size, key);
  std::vector<bool> seen(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t image = order(i);
    REQUIRE((image >= 0 && image < size));
    REQUIRE_FALSE(seen[static_cast<std::size_t>(image)]);
    seen[static_cast<std::size_t>(image)] = true;
  }
}

TEST_CASE("a permutation sends each index everywhere as keys change") {
  constexpr int kSize = 20, kKeys = 20000;
  for (std::int64_t index : {0, 7, 19}) {
    std::vector<int> hits(kSize);
    for (std::uint64_t key = 0; key < kKeys; ++key)
      ++hits[static_cast<std::size_t>(Permutation(kSize, key)(index))];
    double chi2 = 0;
    for (int n : hits)
      chi2 += (n - kKeys / kSize) * (n - kKeys / kSize) / static_cast<double>(kKeys / kSize);
    CHECK(chi2 < 43.8);  // 19 degrees of freedom, p = 0.001
  }
}

TEST_CASE("an epoch covers every window of its cut once, and all tokens but the ends") {
  const test::TempDir folder;
  const std::int64_t context = 8, count = GENERATE(17, 100, 1000, 1003);
  BatchStream stream(counting_file(folder, count), context, kVocab, {.seed = 3});
  const std::int64_t windows = stream.windows_per_epoch();
  CHECK(windows == count / context - 1);
  std::set<std::int32_t> cuts;
  for (int epoch = 0; epoch < 12; ++epoch) {
    auto starts = next_starts(stream, windows, context);
    std::sort(starts.begin(), starts.end());
    REQUIRE(starts.front() < context);
    for (std::size_t i = 1; i < starts.size(); ++i) REQUIRE(starts[i] == starts[i - 1] + context);
    REQUIRE(starts.back() + context < count);
    cuts.insert(starts.front());
  }
  CHECK(cuts.size() > 3);  // 12 draws of 8 offsets
}

TEST_CASE("the rows of a batch are consecutive tokens, the targets one further") {
  const test::TempDir folder;
  BatchStream stream(counting_file(folder, 500), 16, kVocab, {.seed = 1});
  const Batch batch = stream.next(5, 16);
  CHECK(batch.rows == 5);
  CHECK(batch.length == 16);
  REQUIRE(batch.tokens.size() == 5 * 17);
  for (std::size_t row = 0; row < 5; ++row)
    for (std::size_t i = 1; i < 17; ++i)
      REQUIRE(batch.tokens[row * 17 + i] == batch.tokens[row * 17] + static_cast<int>(i));
}

TEST_CASE("pieces of a window, put together, are the window") {
  const test::TempDir folder;
  const auto file = counting_file(folder, 2000);
  const std::int64_t length = GENERATE(1, 4, 8, 32);
  BatchStream whole(file, 32, kVocab, {.seed = 5}), cut(file, 32, kVocab, {.seed = 5});
  const Batch windows = whole.next(3, 32), pieces = cut.next(3, length);
  const std::int64_t each = 32 / length;
  REQUIRE(pieces.rows == 3 * each);
  CHECK(cut.cursor() == whole.cursor());
  for (std::int64_t row = 0; row < pieces.rows; ++row)
    for (std::int64_t i = 0; i <= length; ++i)
      REQUIRE(pieces.tokens[static_cast<std::size_t>(row * (length + 1) + i)] ==
              windows.tokens[static_cast<std::size_t>(row / each * 33 + row % each * length + i)]);
}

TEST_CASE("a stream continued from its cursor gives the same batches, across epochs") {
  const test::TempDir folder;
  const auto file = counting_file(folder, 300);
  BatchStream stream(file, 16, kVocab, {.seed = 9});
  for (int step = 0; step < 40; ++step) {
    BatchStream resumed(file, 16, kVocab, stream.cursor());
    REQUIRE(resumed.next(3, 16).tokens == stream.next(3, 16).tokens);
    REQUIRE(resumed.cursor() == stream.cursor());
  }
  CHECK(stream.cursor() == Cursor{9, 120});
}

TEST_CASE("the order depends on the seed and not on the batch size") {
  const test::TempDir folder;
  const auto file = counting_file(folder, 4000);
  BatchStream ones(file, 16, kVocab, {.seed = 1}), tens(file, 16, kVocab, {.seed = 1}),
      other(file, 16, kVocab, {.seed = 2});
  std::vector<std::int32_t> by_one;
  for (int i = 0; i < 20; ++i) by_one.push_back(next_starts(ones, 1, 16)[0]);
  auto by_ten = next_starts(tens, 10, 16);
  const auto more = next_starts(tens, 10, 16);
  by_ten.insert(by_ten.end(), more.begin(), more.end());
  CHECK(by_one == by_ten);
  CHECK(next_starts(other, 20, 16) != by_one);
}

TEST_CASE("a file shorter than two contexts gives one window, a shorter one is refused") {
  const test::TempDir folder;
  const std::int64_t count = GENERATE(9, 10, 15, 16);
  BatchStream stream(counting_file(folder, count), 8, kVocab, {});
  CHECK(stream.windows_per_epoch() == 1);
  for (int i = 0; i < 30; ++i) REQUIRE(next_starts(stream, 1, 8)[0] + 8 < count);
  const auto short_file = counting_file(folder, 8);
  const std::string message =
      test::refusal(ErrorKind::input, [&] { BatchStream(short_file, 8, kVocab, {}); });
  INFO(message);
  CHECK(contains(message, "8 tokens, expected at least 9"));
  CHECK(
      contains(test::refusal(ErrorKind::input, [&] { EvaluationSet(short_file, 8, kVocab, 100); }),
               "expected at least 9"));
}

TEST_CASE("a token beyond the vocabulary is named with its place, and the cursor stays") {
  const test::TempDir folder;
  BatchStream stream(counting_file(folder, 1000), 8, 500, {.seed = 1});
  Cursor before;
  const std::string message = test::refusal(ErrorKind::input, [&] {
    for (;;) {
      before = stream.cursor();
      stream.next(4, 8);
    }
  });
  INFO(message);
  CHECK(contains(message, "expected ids below the vocabulary of 500"));
  CHECK(stream.cursor() == before);
}

TEST_CASE("an evaluation set is even, does not overlap and never changes") {
  const test::TempDir folder;
  const auto file = counting_file(folder, 1000);
  const std::int64_t tokens = GENERATE(1, 8, 80, 333, 100000);
  const EvaluationSet set(file, 8, kVocab, tokens);
  CHECK(set.windows() == std::clamp<std::int64_t>(tokens / 8, 2, 999 / 8));
  const Batch batch = set.batch(0, set.windows());
  CHECK(EvaluationSet(file, 8, kVocab, tokens).batch(0, set.windows()).tokens == batch.tokens);
  std::int32_t last = -8;
  std::int64_t smallest = 1000, largest = 0;
  for (std::int64_t w = 0; w < set.windows(); ++w) {
    const std::int32_t start = batch.tokens[static_cast<std::size_t>(w * 9)];
    REQUIRE(start >= last + 8);
    if (w > 0) {
      smallest = std::min<std::int64_t>(smallest, start - last);
      largest = std::max<std::int64_t>(largest, start - last);
    }
    last = start;
    CHECK(set.batch(w, 1).tokens == std::vector<std::int32_t>(batch.tokens.begin() + w * 9,
                                                              batch.tokens.begin() + w * 9 + 9));
  }
  if (set.windows() > 1) {
    CHECK(largest - smallest <= 8);
    CHECK(last + 8 + largest >= 992);  // up to the end of the file
  }
}
