// Compares and describes tokenizers by their specs.
#include "tokenizers/same_tokenizer.h"

#include <span>

#include "base/crc32c.h"
#include "base/error.h"
#include "text/text.h"
#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::data {

std::string describe_tokenizer(const std::string& spec) {
  if (spec.empty()) return "not recorded";
  if (spec == "bytes") return spec;
  return fmt::format("the {} of {} bytes with checksum {:08x}",
                     spec.front() == '{' ? "byte-level BPE" : "SentencePiece model",
                     grouped(static_cast<std::int64_t>(spec.size())),
                     crc32c(std::as_bytes(std::span(spec))));
}

void require_same_tokenizer(const std::string& where, const std::string& spec,
                            const std::string& other_where, const std::string& other_spec) {
  if (spec.empty() || other_spec.empty()) return;
  // The special ids (begin and end of text) come from an imported model and are missing from its
  // bare tokenizer.json. They do not change how text is encoded, so they are left out of the
  // comparison.
  if (without_special_ids(spec) == without_special_ids(other_spec)) return;
  throw input_error("{}: its tokenizer is {}, but that of {} is {}", where,
                    describe_tokenizer(spec), other_where, describe_tokenizer(other_spec))
      .with_hint(
          "use token files that were made with one tokenizer: stagedtrain data TEXT --out DIR "
          "--tokenizer ...");
}

}  // namespace stagedtrain::data
