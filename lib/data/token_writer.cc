// Writing token files: tokens in blocks, then the header in front of them.
#include "data/token_writer.h"

#include <cstring>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/text.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

std::uint32_t width_for(std::int64_t vocab) { return vocab <= 256 ? 1 : vocab <= 65536 ? 2 : 4; }

TokenHeader header_for(const Tokenizer& tokenizer) {
  TokenHeader header;
  header.bytes_per_token = width_for(tokenizer.vocab());
  header.vocab = static_cast<std::uint32_t>(tokenizer.vocab());
  if (tokenizer.spec() != "bytes") header.tokenizer = tokenizer.spec();
  header.header_bytes = header_room(header.tokenizer.size());
  return header;
}

}  // namespace

TokenWriter::TokenWriter(Path target, const Tokenizer& tokenizer, Replace replace)
    : target_(std::move(target)),
      file_(target_, replace),
      out_(file_.path(), OutputFile::Mode::existing),
      header_(header_for(tokenizer)),
      tokenizer_name_(lower(tokenizer.name())),
      written_(header_.header_bytes) {
  buffer_.reserve(kBufferBytes);
}

void TokenWriter::append(std::span<const std::int32_t> ids) {
  const std::size_t width = header_.bytes_per_token;
  for (std::int32_t id : ids) {
    if (buffer_.size() + width > kBufferBytes) flush();
    const auto* bytes = reinterpret_cast<const std::byte*>(&id);
    buffer_.insert(buffer_.end(), bytes, bytes + width);  // little endian: the low bytes come first
  }
  header_.count += ids.size();
}

void TokenWriter::flush() {
  out_.write_at(written_, buffer_);
  header_.tokens_crc = crc32c(buffer_, header_.tokens_crc);
  written_ += buffer_.size();
  buffer_.clear();
}

void TokenWriter::finish(Json metadata) {
  ST_CHECK(header_.count > 0, "{}: no tokens", target_.string());
  flush();
  metadata["tokenizer"] = tokenizer_name_;
  header_.metadata = json_text(metadata, -1);
  out_.write_at(0, pack_header(header_));
  out_.close();
}

}  // namespace stagedtrain::data
