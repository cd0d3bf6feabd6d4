// Packs and validates the header of this project's token files.
#include "data/token_header.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"
#include "base/error.h"
#include "data/little_endian.h"

namespace stagedtrain::data {
namespace {

constexpr unsigned char kMagic[16] = {0x89, 's', 't', 'a',  'g',  'e',  'd',  '-',
                                      't',  'o', 'k', '\r', '\n', 0x1a, '\n', 0};
constexpr std::size_t kPage = 4096, kFixedBytes = 64, kMaxHeader = std::size_t{1} << 30;
// Offsets of the fields after the magic, in bytes.
enum : std::size_t {
  kVersionAt = 16,
  kHeaderBytesAt = 20,
  kCountAt = 24,
  kWidthAt = 32,
  kVocabAt = 36,
  kMetadataBytesAt = 40,
  kTokenizerBytesAt = 44,
  kTokensCrcAt = 48,
  kHeaderCrcAt = 52,
};

std::uint32_t header_crc(std::span<const std::byte> header) {
  constexpr std::byte kZeros[4] = {};
  std::uint32_t crc = crc32c(header.first(kHeaderCrcAt));
  crc = crc32c(kZeros, crc);
  return crc32c(header.subspan(kHeaderCrcAt + 4), crc);
}

std::size_t magic_matches(std::span<const std::byte> file) {
  std::size_t same = 0;
  for (std::size_t i = 0; i < std::min(sizeof kMagic, file.size()); ++i)
    same += static_cast<unsigned char>(file[i]) == kMagic[i];
  return same;
}

Error damaged(const Path& path, const std::string& what) {
  return input_error("{}: damaged token file: {}", path.string(), what)
      .with_hint("make it again: stagedtrain data TEXT --out DIR --force");
}

void check_fixed_fields(const Path& path, std::span<const std::byte> file) {
  if (file.size() < kFixedBytes)
    throw damaged(path, fmt::format("cut short at {} bytes", file.size()));
  if (magic_matches(file) != sizeof kMagic)
    throw damaged(path, "its first 16 bytes are not those of a token file");
  if (const auto version = load<std::uint32_t>(file, kVersionAt); version != kTokenFileVersion)
    throw input_error("{}: token file of version {}, expected version {}", path.string(), version,
                      kTokenFileVersion)
        .with_hint("use the stagedtrain that wrote it, or make the file again");
  const std::size_t header_bytes = load<std::uint32_t>(file, kHeaderBytesAt);
  if (header_bytes < kPage || header_bytes > kMaxHeader || header_bytes % kPage != 0)
    throw damaged(path, fmt::format("its header's length is {}, expected a multiple of {}",
                                    header_bytes, kPage));
  if (file.size() < header_bytes)
    throw damaged(path, fmt::format("cut short at {} bytes, inside the header of {}", file.size(),
                                    header_bytes));
  if (load<std::uint32_t>(file, kHeaderCrcAt) != header_crc(file.first(header_bytes)))
    throw damaged(path, "its header does not match its checksum");
}

}  // namespace

std::uint32_t reserved_header_bytes(std::size_t tokenizer_bytes, std::size_t max_metadata) {
  const std::size_t bytes = kFixedBytes + max_metadata + tokenizer_bytes;
  return static_cast<std::uint32_t>((bytes + kPage - 1) / kPage * kPage);
}

std::vector<std::byte> pack_header(const TokenHeader& header) {
  const std::size_t used = kFixedBytes + header.metadata.size() + header.tokenizer.size();
  ST_CHECK(used <= header.header_bytes, "header needs {} bytes, has {}", used, header.header_bytes);
  std::vector<std::byte> bytes(header.header_bytes);
  const std::span<std::byte> out(bytes);
  std::memcpy(bytes.data(), kMagic, sizeof kMagic);
  store(out, kVersionAt, kTokenFileVersion);
  store(out, kHeaderBytesAt, header.header_bytes);
  store(out, kCountAt, header.count);
  store(out, kWidthAt, header.bytes_per_token);
  store(out, kVocabAt, header.vocab);
  store(out, kMetadataBytesAt, static_cast<std::uint32_t>(header.metadata.size()));
  store(out, kTokenizerBytesAt, static_cast<std::uint32_t>(header.tokenizer.size()));
  store(out, kTokensCrcAt, header.tokens_crc);
  std::memcpy(bytes.data() + kFixedBytes, header.metadata.data(), header.metadata.size());
  std::memcpy(bytes.data() + kFixedBytes + header.metadata.size(), header.tokenizer.data(),
              header.tokenizer.size());
  store(out, kHeaderCrcAt, header_crc(bytes));
  return bytes;
}

TokenHeader unpack_header(const Path& path, std::span<const std::byte> file) {
  check_fixed_fields(path, file);
  TokenHeader header;
  header.header_bytes = load<std::uint32_t>(file, kHeaderBytesAt);
  header.count = load<std::uint64_t>(file, kCountAt);
  header.bytes_per_token = load<std::uint32_t>(file, kWidthAt);
  header.vocab = load<std::uint32_t>(file, kVocabAt);
  header.tokens_crc = load<std::uint32_t>(file, kTokensCrcAt);
  const std::size_t metadata = load<std::uint32_t>(file, kMetadataBytesAt);
  const std::size_t tokenizer = load<std::uint32_t>(file, kTokenizerBytesAt);
  if (kFixedBytes + metadata + tokenizer > header.header_bytes)
    throw damaged(path, "its header's parts do not fit in it");
  const auto* text = reinterpret_cast<const char*>(file.data()) + kFixedBytes;
  header.metadata.assign(text, metadata);
  header.tokenizer.assign(text + metadata, tokenizer);
  const std::uint32_t width = header.bytes_per_token;
  if (width != 1 && width != 2 && width != 4)
    throw damaged(path, fmt::format("{} bytes per token, expected 1, 2 or 4", width));
  const std::uint64_t tokens = (file.size() - header.header_bytes) / width;
  if (header.count == 0 || tokens != header.count ||
      (file.size() - header.header_bytes) % width != 0)
    throw damaged(path,
                  fmt::format("its header promises {} tokens of {} bytes, found {} bytes of tokens",
                              header.count, width, file.size() - header.header_bytes));
  return header;
}

bool looks_like_header(std::span<const std::byte> file) {
  return magic_matches(file) >= sizeof kMagic / 2;
}

}  // namespace stagedtrain::data
