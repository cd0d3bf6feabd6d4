// Reads llm.c's token files: a header of 256 int32 (magic, version, token count, zeros), then the
// tokens, as uint16 (GPT-2's tokenizer) or uint32 (Llama 3's).
#include <algorithm>
#include <array>

#include "base/error.h"
#include "data/formats.h"
#include "data/little_endian.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

struct Format {
  std::int32_t magic, version;
  int bytes_per_token;
  const char* note;
};
constexpr std::array kFormats = {
    Format{20240520, 1, 2, "llm.c writes this header for GPT-2's tokenizer (50,257 ids)"},
    Format{20240801, 7, 4, "llm.c writes this header for Llama 3's tokenizer (128,256 ids)"}};

const Format* format_of(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return nullptr;
  const auto magic = load<std::int32_t>(bytes, 0);
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(),
                                   [&](const Format& format) { return format.magic == magic; });
  return found == kFormats.end() ? nullptr : found;
}

// Returns whether the first 1024 bytes look like an llm.c header with an unknown magic number:
// zeros after the first three words, and a token count that fits the file's size. Without this
// check the header would be read as raw token ids.
bool has_unknown_magic(std::span<const std::byte> bytes) {
  if (format_of(bytes) || bytes.size() <= kLlmcHeaderBytes) return false;
  const auto zeros = bytes.subspan(12, kLlmcHeaderBytes - 12);
  const std::int64_t count = load<std::int32_t>(bytes, 8);
  const auto left = static_cast<std::int64_t>(bytes.size() - kLlmcHeaderBytes);
  return count > 0 && left % count == 0 && left / count <= 4 &&
         std::all_of(zeros.begin(), zeros.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::vector<std::byte> llmc_header(std::int32_t tokens, int bytes_per_token) {
  const auto* format = std::find_if(kFormats.begin(), kFormats.end(), [&](const Format& each) {
    return each.bytes_per_token == bytes_per_token;
  });
  ST_CHECK(format != kFormats.end(), "{} bytes a token", bytes_per_token);
  std::array<std::int32_t, kLlmcHeaderBytes / 4> words{format->magic, format->version, tokens};
  const auto bytes = std::as_bytes(std::span(words));
  return {bytes.begin(), bytes.end()};
}

bool recognises_llmc(const Path&, std::span<const std::byte> bytes) {
  return format_of(bytes) || has_unknown_magic(bytes);
}

TokenFileInfo read_llmc(const Path& path, std::span<const std::byte> bytes) {
  if (!format_of(bytes))
    throw input_error(
        "{}: begins like a token file of llm.c, but its first number is {}; expected {}",
        path.string(), load<std::int32_t>(bytes, 0),
        "20240520 (uint16 tokens) or 20240801 (uint32)")
        .with_hint("the file is damaged, or of a format that this version does not read");
  const Format& format = *format_of(bytes);
  if (bytes.size() < kLlmcHeaderBytes)
    throw input_error("{}: {} bytes, expected an llm.c header of {}: the file is cut short",
                      path.string(), bytes.size(), kLlmcHeaderBytes);
  const auto version = load<std::int32_t>(bytes, 4);
  if (version != format.version)
    throw input_error("{}: llm.c token file of version {}, expected version {} (uint{} tokens)",
                      path.string(), version, format.version, 8 * format.bytes_per_token);
  const std::int64_t count = load<std::int32_t>(bytes, 8);
  const auto expected =
      static_cast<std::int64_t>(kLlmcHeaderBytes) + format.bytes_per_token * count;
  if (count <= 0 || expected != static_cast<std::int64_t>(bytes.size()))
    throw input_error("{}: its llm.c header promises {} tokens ({} bytes in all), found {} bytes",
                      path.string(), count, expected, bytes.size())
        .with_hint("the file is cut short or damaged; copy or make it again");
  TokenFileInfo info;
  info.count = count;
  info.bytes_per_token = format.bytes_per_token;
  info.first_byte = kLlmcHeaderBytes;
  info.note = format.note;
  return info;
}

}  // namespace stagedtrain::data
