// Encodes a batch of text pieces on several threads, which claim pieces through an atomic counter.
#include "prepare/parallel_encoder.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "text/utf8.h"

namespace stagedtrain::data {
namespace {

void require_utf8(const Piece& piece) {
  const auto bad = first_bad_utf8(piece.text);
  if (!bad) return;
  const std::string_view all = piece.source->text;
  const std::size_t offset = piece.first + *bad;
  const auto line = std::count(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  throw input_error("{}:{}: byte {} (0x{:02x}) is not UTF-8, which this tokenizer expects",
                    piece.source->name, line + 1, offset, static_cast<unsigned char>(all[offset]))
      .with_hint(
          "convert the text (as iconv -f LATIN1 -t UTF-8 does), or give --tokenizer bytes, which "
          "takes any");
}

}  // namespace

void ParallelEncoder::encode(Piece& piece) {
  if (tokenizer_.needs_utf8()) require_utf8(piece);
  piece.ids = tokenizer_.encode(piece.text);
  if (!lossless_) return;
  piece.lossless = tokenizer_.decode(piece.ids) == piece.text;
  if (!piece.lossless) lossless_ = false;
}

void ParallelEncoder::work(std::vector<Piece>& pieces) {
  for (std::size_t i; (i = next_++) < pieces.size();) {
    try {
      encode(pieces[i]);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!fault_ || i < failed_) {
        failed_ = i;
        fault_ = std::current_exception();
      }
      next_ = pieces.size();  // pieces before this one have already been claimed
    }
  }
}

void ParallelEncoder::start(std::vector<Piece>& pieces) {
  next_ = 0;
  const auto wanted = std::min(static_cast<std::size_t>(threads_), pieces.size());
  while (workers_.size() < wanted) workers_.emplace_back([this, &pieces] { work(pieces); });
}

void ParallelEncoder::wait() {
  workers_.clear();  // joins
  if (fault_) std::rethrow_exception(std::exchange(fault_, nullptr));
}

}  // namespace stagedtrain::data
