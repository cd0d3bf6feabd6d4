// Encoding many pieces of text on several threads, in order.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "data/sources.h"
#include "data/tokenizer.h"

namespace stagedtrain::data {

// A part of a unit, small enough to be encoded at once.
struct Piece {
  std::shared_ptr<const OpenText> source;
  std::size_t first = 0;  // in the source
  std::string_view text;
  bool validates = false;
  // Filled in by the encoder.
  std::vector<std::int32_t> ids;
  bool lossless = true;  // decoding the ids gives back the text; not looked at once a piece failed
};

// Works on one row of pieces at a time, in the background, so that the caller can write the row
// before and collect the next.
class ParallelEncoder {
 public:
  // threads: at least 1.
  ParallelEncoder(const Tokenizer& tokenizer, int threads)
      : tokenizer_(tokenizer), threads_(threads) {}
  // pieces must live until wait() returns.
  void start(std::vector<Piece>& pieces);
  // Throws what encoding threw: of several pieces that failed, the fault of the first.
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
  std::size_t failed_ = 0;    // the first piece that failed
  std::exception_ptr fault_;  // and how
  std::vector<std::jthread> workers_;
};

}  // namespace stagedtrain::data
