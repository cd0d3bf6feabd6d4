// UTF-8 checks by the table of RFC 3629, section 4.
#include "text/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace stagedtrain {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// Bytes of the well-formed character at the start of text, or 0.
std::size_t character_size(std::string_view text) {
  const unsigned char lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead < 0xc2   ? 0
                           : lead < 0xe0 ? 2
                           : lead < 0xf0 ? 3
                           : lead < 0xf5 ? 4
                                         : 0;
  if (size == 0 || text.size() < size) return 0;
  unsigned char low = 0x80, high = 0xbf;  // bounds of the second byte
  if (lead == 0xe0) low = 0xa0;           // else a longer form than needed
  if (lead == 0xed) high = 0x9f;          // else a surrogate
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;  // else beyond U+10FFFF
  if (byte_at(text, 1) < low || byte_at(text, 1) > high) return 0;
  for (std::size_t i = 2; i < size; ++i)
    if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
  return size;
}

// Bytes of plain ASCII from i on, eight at a time.
std::size_t skip_ascii(std::string_view text, std::size_t i) {
  std::uint64_t word;
  for (; i + sizeof word <= text.size(); i += sizeof word) {
    std::memcpy(&word, text.data() + i, sizeof word);
    if (word & 0x8080808080808080ull) break;
  }
  return i;
}

}  // namespace

std::optional<std::size_t> first_bad_utf8(std::string_view text) {
  for (std::size_t i = 0; (i = skip_ascii(text, i)) < text.size();) {
    const std::size_t size = character_size(text.substr(i));
    if (size == 0) return i;
    i += size;
  }
  return {};
}

std::size_t cut_near(std::string_view text, std::size_t wanted) {
  if (text.size() <= wanted) return text.size();
  const std::size_t limit = std::min(text.size(), 2 * wanted);
  const std::size_t line_end = text.substr(0, limit).find('\n', wanted - 1);
  if (line_end != std::string_view::npos) return line_end + 1;
  if (limit == text.size()) return limit;
  std::size_t cut = limit;
  while (cut > limit - 3 && (byte_at(text, cut) & 0xc0) == 0x80) --cut;
  return (byte_at(text, cut) & 0xc0) == 0x80 ? limit : cut;
}

}  // namespace stagedtrain
