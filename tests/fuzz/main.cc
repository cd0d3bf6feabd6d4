// The libFuzzer program: feeds the reader that FUZZ_READER names. scripts/fuzz.sh runs it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuzz/readers.h"

using stagedtrain::test::FuzzedReader;

namespace {

const FuzzedReader& chosen() {
  const char* name = std::getenv("FUZZ_READER");
  const auto& readers = stagedtrain::test::fuzzed_readers();
  const auto found = std::ranges::find(readers, std::string_view(name ? name : ""), &FuzzedReader::name);
  if (found != readers.end()) return *found;
  std::fputs("FUZZ_READER must name one of:", stderr);
  for (const FuzzedReader& reader : readers) std::fprintf(stderr, " %s", reader.name);
  std::fputs("\n", stderr);
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const FuzzedReader& reader = chosen();
  stagedtrain::test::accepts(reader, {reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
