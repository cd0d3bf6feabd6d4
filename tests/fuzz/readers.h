// The readers of foreign files, each as a function of the file's bytes: what the fuzz targets run.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace stagedtrain::test {

// The file in which a reader finds its bytes is replaced by each call.
struct FuzzedReader {
  const char* name;  // also the folder of its corpus, tests/fuzz/corpus/NAME
  void (*read)(std::span<const std::byte> bytes);
};
const std::vector<FuzzedReader>& fuzzed_readers();

// Reads the bytes. Returns whether the reader accepts them; a file that lies must be refused by
// Error(input). Every other exception leaves this function, which libFuzzer and Catch2 report.
bool accepts(const FuzzedReader& reader, std::span<const std::byte> bytes);

}  // namespace stagedtrain::test
