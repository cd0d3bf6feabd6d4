// Judges the width of headerless token ids from statistics of a sample of the file.
#include "data/raw_sample.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "data/little_endian.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kPieceBytes = 8192, kPieces = 64;
constexpr std::size_t kLeastBytes = 32;   // a smaller file says nothing about the width
constexpr std::uint16_t kMostUpper = 15;  // upper half of the largest id below 2^20

using Pieces = std::vector<std::span<const std::byte>>;

// Returns the parts of the file to sample. Each starts at a multiple of 8 bytes, so that ids of
// every width can be read from it.
Pieces pieces_of(std::span<const std::byte> file) {
  if (file.size() <= kPieceBytes * kPieces) return {file};
  Pieces pieces;
  for (std::size_t i = 0; i < kPieces; ++i) {
    const std::size_t first = (file.size() - kPieceBytes) / (kPieces - 1) * i;
    pieces.push_back(file.subspan(first / 8 * 8, kPieceBytes));
  }
  return pieces;
}

// Statistics of one of the four 16-bit numbers in every group of 8 bytes.
struct Place {
  std::bitset<65536> values;
  std::uint16_t largest = 0;
  void add(std::uint16_t value) {
    values.set(value);
    largest = std::max(largest, value);
  }
};

// If ids have 16 bits, every one of the four places holds ids.
void count_narrow_ids(const std::array<Place, 4>& places, const Pieces& pieces, RawSample& sample) {
  std::bitset<65536> values;
  for (const Place& place : places) {
    values |= place.values;
    sample.largest = std::max<std::uint32_t>(sample.largest, place.largest);
  }
  sample.distinct = static_cast<std::int64_t>(values.count());
  for (const auto piece : pieces) sample.ids += static_cast<std::int64_t>(piece.size() / 2);
}

std::array<Place, 4> places_of(const Pieces& pieces) {
  std::array<Place, 4> places;
  for (const auto piece : pieces)
    for (std::size_t i = 0; i + 1 < piece.size(); i += 2)
      places[i / 2 % 4].add(load<std::uint16_t>(piece, i));
  return places;
}

// Returns whether `upper` holds the upper halves of the ids whose lower halves are in `lower`.
bool is_upper_half(const Place& upper, const Place& lower) {
  if (upper.largest == 0) return lower.values.count() >= 2;
  return upper.largest <= kMostUpper && lower.values.count() >= 8 * upper.values.count();
}

RawWidth width_of(const std::array<Place, 4>& places, std::size_t file_bytes) {
  const auto& [first, second, third, fourth] = places;
  if (file_bytes < kLeastBytes) return RawWidth::uint16;
  if (file_bytes % 8 == 0 && third.largest == 0 && fourth.largest == 0 &&
      is_upper_half(second, first))
    return RawWidth::int64;
  if (file_bytes % 4 == 0 && is_upper_half(second, first) && is_upper_half(fourth, third))
    return RawWidth::uint32;
  return RawWidth::uint16;
}

bool is_text_byte(std::byte byte) {
  const auto c = static_cast<unsigned char>(byte);
  return c >= 0x20 ? c != 0x7f : c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

template <class Id>
void count_wide_ids(const Pieces& pieces, RawSample& sample) {
  std::unordered_set<Id> distinct;
  for (const auto piece : pieces)
    for (std::size_t i = 0; i + sizeof(Id) <= piece.size(); i += sizeof(Id)) {
      const Id id = load<Id>(piece, i);
      distinct.insert(id);
      sample.largest = std::max(sample.largest, static_cast<std::uint32_t>(id));
      ++sample.ids;
    }
  sample.distinct = static_cast<std::int64_t>(distinct.size());
}

// n uniformly random 16-bit numbers have 65536 (1 - (1 - 1/65536)^n) distinct values in
// expectation. Token ids of text stay far below that, because a few frequent ids make up most of
// the text.
bool is_noise(const RawSample& sample) {
  constexpr double kAll = 65536;
  const double expected = kAll * -std::expm1(-static_cast<double>(sample.ids) / kAll);
  return sample.ids >= 16384 && sample.largest >= 65000 &&
         static_cast<double>(sample.distinct) > 0.95 * expected;
}

}  // namespace

std::string RawSample::describe() const {
  return fmt::format("largest id {} and {} different ids in a sample of {}", grouped(largest),
                     grouped(distinct), grouped(ids));
}

RawSample sample_raw(std::span<const std::byte> file) {
  const Pieces pieces = pieces_of(file);
  RawSample sample;
  const std::array<Place, 4> places = places_of(pieces);
  sample.width = width_of(places, file.size());
  sample.text = file.size() >= kLeastBytes &&
                std::all_of(pieces.begin(), pieces.end(), [](const auto& piece) {
                  return std::all_of(piece.begin(), piece.end(), is_text_byte);
                });
  if (sample.width == RawWidth::uint16) {
    count_narrow_ids(places, pieces, sample);
    sample.noise = is_noise(sample);
  } else if (sample.width == RawWidth::uint32) {
    count_wide_ids<std::uint32_t>(pieces, sample);
  } else {
    count_wide_ids<std::uint64_t>(pieces, sample);
  }
  return sample;
}

}  // namespace stagedtrain::data
