// Writes token files: first the tokens, block by block, then the header in front of them.
#include "prepare/token_writer.h"

#include <cstring>
#include <limits>

#include "base/crc32c.h"
#include "base/error.h"
#include "data/formats.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{1} << 20;

std::uint32_t width_for(std::int64_t vocab, TokenLayout layout) {
  if (vocab <= 256 && layout == TokenLayout::stagedtrain) return 1;
  return vocab <= 65536 ? 2 : 4;
}

TokenHeader header_for(const Tokenizer& tokenizer, TokenLayout layout) {
  TokenHeader header;
  header.bytes_per_token = width_for(tokenizer.vocab(), layout);
  header.vocab = static_cast<std::uint32_t>(tokenizer.vocab());
  if (tokenizer.spec() != "bytes") header.tokenizer = tokenizer.spec();
  if (layout == TokenLayout::stagedtrain)
    header.header_bytes = reserved_header_bytes(header.tokenizer.size());
  if (layout == TokenLayout::llmc) header.header_bytes = kLlmcHeaderBytes;
  if (layout == TokenLayout::nanogpt && header.bytes_per_token != 2)
    throw input_error("nanoGPT's files have ids below 65,536, but this tokenizer has {} of them",
                      grouped(tokenizer.vocab()))
        .with_hint("choose another --format");
  return header;
}

}  // namespace

TokenWriter::TokenWriter(Path target, const Tokenizer& tokenizer, Replace replace,
                         TokenLayout layout)
    : target_(std::move(target)),
      layout_(layout),
      file_(target_, replace),
      out_(file_.path(), OutputFile::Mode::existing),
      header_(header_for(tokenizer, layout)),
      tokenizer_name_(lower(tokenizer.name())),
      written_(header_.header_bytes) {
  buffer_.reserve(kWriteBytes);
}

void TokenWriter::append(std::span<const std::int32_t> ids) {
  const std::size_t width = header_.bytes_per_token;
  for (std::int32_t id : ids) {
    if (buffer_.size() + width > kWriteBytes) flush();
    const auto* bytes = reinterpret_cast<const std::byte*>(&id);
    buffer_.insert(buffer_.end(), bytes, bytes + width);  // little endian: the low bytes come first
  }
  header_.count += ids.size();
  if (layout_ == TokenLayout::llmc && header_.count > std::numeric_limits<std::int32_t>::max())
    throw input_error("{}: llm.c's header counts at most {} tokens", target_.string(),
                      grouped(std::numeric_limits<std::int32_t>::max()))
        .with_hint("run this once for each part of the text; llm.c reads several files");
}

void TokenWriter::flush() {
  out_.write_at(written_, buffer_);
  header_.tokens_crc = crc32c(buffer_, header_.tokens_crc);
  written_ += buffer_.size();
  buffer_.clear();
}

std::vector<std::byte> TokenWriter::header(Json metadata) {
  if (layout_ == TokenLayout::nanogpt) return {};
  if (layout_ == TokenLayout::llmc)
    return llmc_header(static_cast<std::int32_t>(header_.count),
                       static_cast<int>(header_.bytes_per_token));
  metadata["tokenizer"] = tokenizer_name_;
  header_.metadata = json_text(metadata, -1);
  return pack_header(header_);
}

void TokenWriter::finish(Json metadata) {
  ST_CHECK(header_.count > 0, "{}: no tokens", target_.string());
  flush();
  out_.write_at(0, header(std::move(metadata)));
  out_.close();
}

}  // namespace stagedtrain::data
