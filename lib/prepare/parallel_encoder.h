// How are many pieces of text encoded on several threads while their order is kept?
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "prepare/sources.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::data {

// A part of a unit, small enough to be encoded in one call.
struct Piece {
  std::shared_ptr<const OpenText> source;
  std::size_t first = 0;  // offset in the source's text
  std::string_view text;
  bool validates = false;
  // The encoder fills these in.
  std::vector<std::int32_t> ids;
  // Whether decoding the ids gives back the text. The encoder stops checking after the first piece
  // for which it does not.
  bool lossless = true;
};

// Encodes one batch of pieces at a time in the background, so that the caller can meanwhile write
// the previous batch and read the next one.
class ParallelEncoder {
 public:
  // threads: at least 1.
  ParallelEncoder(const Tokenizer& tokenizer, int threads)
      : tokenizer_(tokenizer), threads_(threads) {}
  // Starts encoding. `pieces` must stay alive and unmoved until wait() returns.
  void start(std::vector<Piece>& pieces);
  // Waits for all pieces. If encoding failed, rethrows the exception of the first piece that
  // failed.
  void wait();
  int threads() const { return threads_; }

 private:
  void work(std::vector<Piece>& pieces);
  void encode(Piece& piece);
  const Tokenizer& tokenizer_;
  int threads_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> lossless_ = true;
  std::mutex mutex_;
  std::size_t failed_ = 0;    // index of the first piece that failed
  std::exception_ptr fault_;  // its exception
  std::vector<std::jthread> workers_;
};

}  // namespace stagedtrain::data
