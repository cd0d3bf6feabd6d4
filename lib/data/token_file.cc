// Reads token files of every format, and checks their ids, checksums and identity.
#include "data/token_file.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/signals.h"
#include "data/formats.h"
#include "data/little_endian.h"
#include "data/token_folder.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

// Runs before the file is opened, which would only report that it is not a regular file.
const Path& not_a_folder(const Path& path) {
  refuse_folder_of_tokens(path);
  return path;
}

TokenFileInfo read_info(const Path& path, std::span<const std::byte> bytes) {
  if (bytes.empty()) throw input_error("{}: empty, expected a token file", path.string());
  for (const TokenFormat& format : token_formats()) {
    if (!format.recognises(path, bytes)) continue;
    TokenFileInfo info = format.read(path, bytes);
    info.format = format.name;
    return info;
  }
  throw input_error("{}: not a token file", path.string());
}

// Copies tokens and returns the largest id.
template <class Id>
std::uint32_t copy_ids(std::span<const std::byte> from, std::span<std::int32_t> out) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint32_t id = load<Id>(from, i * sizeof(Id));
    largest = std::max(largest, id);
    out[i] = static_cast<std::int32_t>(id);
  }
  return largest;
}

std::uint32_t copy_any(int width, std::span<const std::byte> from, std::span<std::int32_t> out) {
  if (width == 1) return copy_ids<std::uint8_t>(from, out);
  if (width == 2) return copy_ids<std::uint16_t>(from, out);
  return copy_ids<std::uint32_t>(from, out);
}

}  // namespace

TokenFile::TokenFile(const Path& path)
    : path_(not_a_folder(path)), identity_(file_identity(path)), file_(path) {
  const MappedFile whole(path);  // formats read only a few places of it
  file_bytes_ = whole.bytes().size();
  info_ = read_info(path, whole.bytes());
}

void TokenFile::read(std::int64_t first, std::span<std::int32_t> out, std::int64_t vocab) const {
  const auto size = static_cast<std::int64_t>(out.size());
  ST_CHECK(first >= 0 && size <= count() && first <= count() - size, "tokens [{}, {}) of {}", first,
           first + size, count());
  const auto width = static_cast<std::size_t>(info_.bytes_per_token);
  // The stored ids go into the end of `out` and are widened in place from the front, so no other
  // memory is needed.
  const auto buffer = std::as_writable_bytes(out);
  const auto bytes = buffer.last(out.size() * width);
  file_.read_at(info_.first_byte + static_cast<std::uint64_t>(first) * width, bytes);
  if (copy_any(info_.bytes_per_token, bytes, out) < vocab) return;
  const auto bad = std::find_if(out.begin(), out.end(), [&](std::int32_t id) {
    return static_cast<std::uint32_t>(id) >= vocab;
  });
  throw input_error("{}: token {} is {}, expected ids below the vocabulary of {}", path_.string(),
                    grouped(first + (bad - out.begin())), static_cast<std::uint32_t>(*bad), vocab)
      .with_hint(info_.vocab > vocab
                     ? fmt::format("set model.vocab to {} or more", info_.vocab)
                     : "the file was made with another tokenizer, or is not a token file");
}

void TokenFile::check_vocab(std::int64_t vocab, std::uint64_t max_bytes) const {
  if (bytes_of_tokens() > max_bytes) return;
  std::vector<std::int32_t> part(std::size_t{1} << 16);
  for (std::int64_t first = 0; first < count(); first += static_cast<std::int64_t>(part.size())) {
    stop_point("checking tokens");
    const auto left = static_cast<std::size_t>(count() - first);
    read(first, std::span(part).first(std::min(part.size(), left)), vocab);
  }
  if (info_.tokens_crc && checksum(info_.first_byte, bytes_of_tokens(), 0) != *info_.tokens_crc)
    throw input_error("{}: damaged: the checksum of its tokens does not match the header",
                      path_.string())
        .with_hint("make it again: stagedtrain data TEXT --out DIR --force");
}

void TokenFile::check_unchanged(std::uint32_t fingerprint) const {
  if (same_file_on_disk()) return;
  const std::uint32_t found = TokenFile(path_).fingerprint();
  if (found != fingerprint)
    throw input_error(
        "{}: was changed while it was in use: found fingerprint {:08x}, expected {:08x}",
        path_.string(), found, fingerprint)
        .with_hint("restore the file and run the same command again, or start with another --out");
}

std::uint32_t TokenFile::fingerprint() const {
  constexpr std::uint64_t kPages = 64, kPage = 4096;
  std::uint32_t crc = crc32c(std::as_bytes(std::span(&file_bytes_, 1)));
  crc = checksum(0, info_.first_byte, crc);
  const std::uint64_t tokens = bytes_of_tokens();
  if (tokens <= kPages * kPage) return checksum(info_.first_byte, tokens, crc);
  for (std::uint64_t i = 0; i < kPages; ++i) {
    // The last of these pages ends with the last token.
    const std::uint64_t start = (tokens - kPage) * i / (kPages - 1);
    crc = checksum(info_.first_byte + start, kPage, crc);
  }
  return crc;
}

std::uint32_t TokenFile::checksum(std::uint64_t offset, std::uint64_t size,
                                  std::uint32_t before) const {
  std::vector<std::byte> part(std::min<std::uint64_t>(size, std::uint64_t{1} << 20));
  while (size > 0) {
    const auto bytes = std::span(part).first(std::min<std::uint64_t>(size, part.size()));
    file_.read_at(offset, bytes);
    before = crc32c(bytes, before);
    offset += bytes.size();
    size -= bytes.size();
  }
  return before;
}

}  // namespace stagedtrain::data
