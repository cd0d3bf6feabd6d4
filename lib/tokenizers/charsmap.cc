// Checks a SentencePiece model's character maps: finds them in the protobuf and bounds-checks every
// unit of their tries.
#include "tokenizers/charsmap.h"

#include <cstdint>
#include <cstring>

#include "tokenizers/protobuf.h"

namespace stagedtrain::data {
namespace {

// Field numbers in sentencepiece_model.proto.
constexpr std::uint64_t kNormalizerSpec = 3, kDenormalizerSpec = 5, kCharsmap = 2;

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
  return each_proto_field(model, [](const ProtoField& field) {
    if (field.key != kNormalizerSpec && field.key != kDenormalizerSpec) return true;
    return each_proto_field(field.text, [](const ProtoField& inner) {
      return inner.key != kCharsmap || charsmap_is_sound(inner.text);
    });
  });
}

}  // namespace stagedtrain::data
