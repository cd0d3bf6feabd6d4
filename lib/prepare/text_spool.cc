// Writes spooled text through a buffer, then maps it.
#include "prepare/text_spool.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

}  // namespace

void TextSpool::Writer::flush() {
  out_.write_at(written_, buffer_);
  written_ += buffer_.size();
  buffer_.clear();
}

void TextSpool::Writer::write(std::span<const std::byte> bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= kBufferBytes) flush();
}

MappedFile TextSpool::Writer::map() {
  flush();
  out_.close();
  return MappedFile(file_.path());
}

TextSpool::TextSpool(const Path& folder) : text_(folder / "text"), ends_(folder / "ends") {}

void TextSpool::append(std::string_view text) {
  text_.write(std::as_bytes(std::span(text)));
  next_.size += text.size();
}

void TextSpool::end_document() {
  ends_.write(std::as_bytes(std::span(&next_.size, 1)));
  ++next_.ends;
}

SpooledText TextSpool::take() {
  const SpooledText part = next_;
  next_ = {.first = text_.size(), .first_end = part.first_end + part.ends};
  return part;
}

void TextSpool::map() {
  mapped_text_.emplace(text_.map());
  mapped_ends_.emplace(ends_.map());
}

std::string_view TextSpool::text(const SpooledText& part) const {
  return {reinterpret_cast<const char*>(mapped_text_->bytes().data()) + part.first, part.size};
}

std::span<const std::uint64_t> TextSpool::ends(const SpooledText& part) const {
  return {reinterpret_cast<const std::uint64_t*>(mapped_ends_->bytes().data()) + part.first_end,
          part.ends};
}

}  // namespace stagedtrain::data
