// Subsets of the training windows: how they are drawn, and in which order a run reads them.
#include "data/selected_windows.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::data;

namespace {

constexpr std::int64_t kVocab = 65536, kContext = 8;

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

std::vector<std::int64_t> numbers_below(std::int64_t end) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(end));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<std::int32_t> next_tokens(BatchStream& stream, std::int64_t sequences) {
  return stream.next(sequences, kContext).tokens;
}

}  // namespace

TEST_CASE("a window is drawn with a probability in proportion to 1 + g + g^2 / 2") {
  const std::vector<float> gains = {0, 0.5, 1, 2, 4};
  const double weights[] = {1, 1.625, 2.5, 5, 13};
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(selection_weight(static_cast<double>(gains[i])) == weights[i]);
  constexpr int kDraws = 40000;
  double first[5] = {}, inside[5] = {};
  for (int draw = 0; draw < kDraws; ++draw) {
    first[draw_windows(gains, 1, 7, draw)[0]] += 1;
    for (const std::int64_t window : draw_windows(gains, 2, 8, draw)) inside[window] += 1;
  }
  const double all = 23.125;
  for (std::size_t i = 0; i < 5; ++i) {
    CAPTURE(i);
    const double p = weights[i] / all;
    CHECK(first[i] / kDraws == Approx(p).margin(5 * std::sqrt(p * (1 - p) / kDraws)));
    // Of two: the first one, or the second after each other first one.
    double q = p;
    for (std::size_t j = 0; j < 5; ++j)
      if (j != i) q += weights[j] / all * weights[i] / (all - weights[j]);
    CHECK(inside[i] / kDraws == Approx(q).margin(5 * std::sqrt(q * (1 - q) / kDraws)));
  }
}

TEST_CASE(
    "a subset has different windows in ascending order, others for each generation and seed") {
  const std::vector<float> gains(1000, 0.1f);
  const std::vector<std::int64_t> subset = draw_windows(gains, 250, 1, 0);
  CHECK(subset.size() == 250);
  CHECK(std::set(subset.begin(), subset.end()).size() == 250);
  CHECK(std::ranges::is_sorted(subset));
  CHECK(subset == draw_windows(gains, 250, 1, 0));
  CHECK(subset != draw_windows(gains, 250, 1, 1));
  CHECK(subset != draw_windows(gains, 250, 2, 0));
  CHECK(draw_windows(gains, 1000, 1, 0) == numbers_below(1000));
  CHECK(subset_size(1000, 0.25) == 250);
  CHECK(subset_size(3, 0.01) == 1);
  CHECK(subset_size(7, 1) == 7);
}

TEST_CASE("partitions contain every window once") {
  const WindowPartitions partitions(103, 10, 5);
  CHECK(partitions.count() == 11);
  std::vector<std::int64_t> all;
  for (std::int64_t p = 0; p < partitions.count(); ++p) {
    const std::vector<std::int64_t> windows = partitions.windows_of(p);
    CHECK(windows.size() == (p < 10 ? 10u : 3u));
    all.insert(all.end(), windows.begin(), windows.end());
  }
  CHECK_FALSE(std::ranges::is_sorted(all));
  CHECK(all != [] {
    std::vector<std::int64_t> other;
    for (std::int64_t p = 0; p < 11; ++p)
      for (const std::int64_t w : WindowPartitions(103, 10, 6).windows_of(p)) other.push_back(w);
    return other;
  }());
  std::ranges::sort(all);
  CHECK(all == numbers_below(103));
}

TEST_CASE("a subset of all windows is the first epoch of the plain stream, in the same order") {
  const test::TempDir folder;
  const auto file = counting_file(folder, 500);
  BatchStream plain(file, kContext, kVocab, {3, 0});
  const std::int64_t windows = plain.windows_per_epoch();
  BatchStream subset(file, kContext, kVocab, {3, 0}, {numbers_below(windows), 0, 0});
  CHECK(next_tokens(plain, windows) == next_tokens(subset, windows));
  CHECK(next_tokens(plain, windows) != next_tokens(subset, windows));  // no other offset
}

TEST_CASE("a stream reads its subset again and again, each time in another order") {
  const test::TempDir folder;
  const auto file = counting_file(folder, 500);
  const std::vector<std::int64_t> chosen = {0, 3, 17, 18, 40, 59};
  const CandidateWindows candidates(file, kContext, kVocab, 3);
  std::set<std::vector<std::int32_t>> wanted;
  const Batch each = candidates.batch(chosen);
  for (std::int64_t row = 0; row < each.rows; ++row)
    wanted.emplace(each.tokens.begin() + row * 9, each.tokens.begin() + (row + 1) * 9);
  BatchStream stream(file, kContext, kVocab, {3, 100}, {chosen, 100, 2});
  std::set<std::vector<std::int32_t>> orders;
  for (int pass = 0; pass < 4; ++pass) {
    std::set<std::vector<std::int32_t>> found;
    std::vector<std::int32_t> order;
    for (int i = 0; i < 6; ++i) {
      const std::vector<std::int32_t> window = next_tokens(stream, 1);
      order.push_back(window[0]);
      found.insert(window);
    }
    CHECK(found == wanted);
    orders.insert(order);
  }
  CHECK(orders.size() > 1);
  CHECK(stream.cursor().index == 124);
  // A stream that begins in the middle continues the order.
  BatchStream whole(file, kContext, kVocab, {3, 100}, {chosen, 100, 2});
  next_tokens(whole, 9);
  BatchStream resumed(file, kContext, kVocab, {3, 109}, {chosen, 100, 2});
  CHECK(next_tokens(whole, 7) == next_tokens(resumed, 7));
}

TEST_CASE("candidates are the windows of the first epoch") {
  const test::TempDir folder;
  const auto file = counting_file(folder, 500);
  const CandidateWindows candidates(file, kContext, kVocab, 3);
  BatchStream plain(file, kContext, kVocab, {3, 0});
  REQUIRE(candidates.count() == plain.windows_per_epoch());
  std::vector<std::int32_t> starts, expected;
  const Batch all = candidates.batch(numbers_below(candidates.count()));
  const std::vector<std::int32_t> epoch = next_tokens(plain, candidates.count());
  for (std::size_t i = 0; i < epoch.size(); i += 9) {
    starts.push_back(all.tokens[i]);
    expected.push_back(epoch[i]);
  }
  std::ranges::sort(expected);
  CHECK(starts == expected);
}
