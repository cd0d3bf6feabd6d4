// Lists the token file formats in the order in which they are tried.
#include "data/formats.h"

namespace stagedtrain::data {

const std::vector<TokenFormat>& token_formats() {
  static const std::vector<TokenFormat> table = {
      {"other", "a known kind of file that holds no tokens; the error names it", recognises_foreign,
       refuse_foreign},
      {"stagedtrain", "written by `stagedtrain data`: header, tokenizer, 1, 2 or 4 bytes a token",
       recognises_stagedtrain, read_stagedtrain},
      {"llm.c",
       "256 int32 of header (magic 20240520 or 20240801, version, count), then uint16 or uint32",
       recognises_llmc, read_llmc},
      {"Megatron", "NAME.bin with its index NAME.idx beside it: ids of 1, 2 or 4 bytes, documents",
       recognises_megatron, read_megatron},
      {"raw uint32", "no header, and the upper halves of all 32-bit numbers nearly empty",
       recognises_raw_uint32, read_raw_uint32},
      {"raw uint16", "nanoGPT's: no header, uint16 from the first byte", recognises_raw_uint16,
       read_raw_uint16},
  };
  return table;
}

}  // namespace stagedtrain::data
