// Checks a SentencePiece model's character maps: finds them in the protobuf and bounds-checks every
// unit of their tries.
#include "tokenizers/charsmap.h"

#include <cstdint>
#include <cstring>
#include <optional>

namespace stagedtrain::data {
namespace {

// Field numbers in sentencepiece_model.proto.
constexpr std::uint64_t kNormalizer = 3, kDenormalizer = 5, kCharsmap = 2;

std::optional<std::uint64_t> take_varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return {};
}

// Calls f(number, content) for each length-delimited field of a protobuf message. Returns false if
// the message is malformed or f returns false.
template <class F>
bool each_record(std::string_view rest, F f) {
  while (!rest.empty()) {
    const auto key = take_varint(rest);
    if (!key) return false;
    std::uint64_t size = 0;
    switch (*key & 7) {
      case 0:
        if (!take_varint(rest)) return false;
        continue;
      case 1:
        size = 8;
        break;
      case 5:
        size = 4;
        break;
      case 2: {
        const auto length = take_varint(rest);
        if (!length) return false;
        size = *length;
        break;
      }
      default:
        return false;
    }
    if (size > rest.size()) return false;
    if ((*key & 7) == 2 && !f(*key >> 3, rest.substr(0, size))) return false;
    rest.remove_prefix(size);
  }
  return true;
}

std::uint32_t word_at(std::string_view text, std::size_t index) {
  std::uint32_t word;
  std::memcpy(&word, text.data() + 4 * index, sizeof word);
  return word;
}

// Layout of a map: the size of the trie in bytes (uint32), the trie (units of uint32), then
// replacement strings that each end in NUL. A unit with bit 31 clear can be followed: the child for
// a byte is unit (place ^ offset) ^ byte. If bit 8 is set, unit place ^ offset holds the position
// of a replacement string.
bool charsmap_is_sound(std::string_view map) {
  if (map.empty()) return true;
  if (map.size() < 4) return false;
  const std::uint64_t trie_bytes = word_at(map, 0);
  if (trie_bytes % 4 != 0 || trie_bytes == 0 || trie_bytes >= map.size() - 4 || map.back() != '\0')
    return false;
  const std::string_view trie = map.substr(4, trie_bytes);
  const std::uint64_t units = trie_bytes / 4, replacements = map.size() - 4 - trie_bytes;
  for (std::uint64_t place = 0; place < units; ++place) {
    const std::uint32_t unit = word_at(trie, place);
    if (unit >> 31) continue;
    const std::uint64_t offset = static_cast<std::uint64_t>(unit >> 10) << ((unit & 0x200) >> 6);
    const std::uint64_t next = place ^ offset;
    if ((next | 0xff) >= units) return false;
    if ((unit & 0x100) && (word_at(trie, next) & 0x7fffffff) >= replacements) return false;
  }
  return true;
}

}  // namespace

bool charsmaps_are_sound(std::string_view model) {
  return each_record(model, [](std::uint64_t field, std::string_view record) {
    if (field != kNormalizer && field != kDenormalizer) return true;
    return each_record(record, [](std::uint64_t inner, std::string_view content) {
      return inner != kCharsmap || charsmap_is_sound(content);
    });
  });
}

}  // namespace stagedtrain::data
