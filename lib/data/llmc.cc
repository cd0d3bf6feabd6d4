// llm.c's token files: 256 int32 of header (magic, version, token count, zeros), then uint16
// tokens.
#include "base/error.h"
#include "base/text.h"
#include "data/formats.h"
#include "data/little_endian.h"

namespace stagedtrain::data {
namespace {

constexpr std::int32_t kMagic = 20240520, kVersion = 1;
constexpr std::size_t kHeaderBytes = 256 * 4;

}  // namespace

bool recognises_llmc(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && load<std::int32_t>(bytes, 0) == kMagic;
}

TokenFileInfo read_llmc(const Path& path, std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes)
    throw input_error("{}: {} bytes, expected an llm.c header of {}: the file is cut short",
                      path.string(), bytes.size(), kHeaderBytes);
  const auto version = load<std::int32_t>(bytes, 4);
  if (version != kVersion)
    throw input_error("{}: llm.c token file of version {}, expected version {} (uint16 tokens)",
                      path.string(), version, kVersion);
  const std::int64_t count = load<std::int32_t>(bytes, 8);
  const auto expected = static_cast<std::int64_t>(kHeaderBytes) + 2 * count;
  if (count <= 0 || expected != static_cast<std::int64_t>(bytes.size()))
    throw input_error("{}: its llm.c header promises {} tokens ({} bytes in all), found {} bytes",
                      path.string(), count, expected, bytes.size())
        .with_hint("the file is cut short or damaged; copy or make it again");
  return {.count = count, .bytes_per_token = 2, .first_byte = kHeaderBytes};
}

}  // namespace stagedtrain::data
