// Recognises files that are often found beside token files but are not token files. They are
// refused by name, because a file that no format recognises would be read as raw token ids.
#include "prepare/foreign.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"
#include "data/formats.h"

namespace stagedtrain::data {
namespace {

using namespace std::string_view_literals;

struct Foreign {
  std::string_view start;  // the magic bytes that every such file starts with
  const char* name;
  const char* hint;
};

constexpr const char* kUnpack = "unpack it first";
constexpr const char* kNumpy =
    "write the ids without a header, in Python: np.load(path).astype(np.uint16).tofile(out), or "
    "np.uint32 for more than 65,536 ids";
constexpr const char* kText = "token files are made by: stagedtrain data TEXT --out DIR";

constexpr std::array kForeign = {
    Foreign{"\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as checkpoints are",
            "token files are made by: stagedtrain data TEXT --out DIR; 'stagedtrain show' "
            "describes checkpoints"},
    Foreign{
        "\x89staged-state"sv, "an HDF5 file, a checkpoint of stagedtrain",
        "'stagedtrain show' describes checkpoints; token files are made by: stagedtrain data TEXT "
        "--out DIR"},
    // llm.c starts each kind of file with a date written as an int32.
    Foreign{"\x8a\xd8\x34\x01"sv, "an evaluation file of llm.c (HellaSwag or MMLU)",
            "its header is that of multiple-choice tasks; training and eval --data need tokens"},
    Foreign{"\xc6\xd7\x34\x01"sv, "a model of llm.c", kText},
    Foreign{"\xc7\xd7\x34\x01"sv, "a debug state of llm.c", kText},
    Foreign{"\xc8\xd7\x34\x01"sv, "a tokenizer of llm.c", kText},
    Foreign{"\x8f\xd8\x34\x01"sv, "an optimizer state of llm.c", kText},
    Foreign{"MMIDIDX\0\0"sv, "the index of a Megatron data set", "name the .bin file beside it"},
    Foreign{"\x93NUMPY"sv, "a NumPy .npy file", kNumpy},
    Foreign{"\x80\x04\x95"sv, "a Python pickle", kText},
    Foreign{"PK\x03\x04"sv, "a zip archive (as .npz and .pt files are)", kUnpack},
    Foreign{"\x1f\x8b\x08"sv, "a gzip file", kUnpack},
    Foreign{"\x28\xb5\x2f\xfd"sv, "a zstd file", kUnpack},
    Foreign{"\xfd"
            "7zXZ\0"sv,
            "an xz file", kUnpack},
    Foreign{"BZh"sv, "a bzip2 file", kUnpack},
    Foreign{"PAR1"sv, "a Parquet file", kText},
    Foreign{"ARROW1"sv, "an Arrow file", kText},
    Foreign{"GGUF"sv, "a GGUF model", kText},
};

const Foreign* foreign_kind(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto* found = std::find_if(kForeign.begin(), kForeign.end(), [&](const Foreign& kind) {
    return text.starts_with(kind.start);
  });
  return found == kForeign.end() ? nullptr : found;
}

}  // namespace

const char* foreign_name(std::span<const std::byte> bytes) {
  const Foreign* kind = foreign_kind(bytes);
  return kind ? kind->name : nullptr;
}

bool recognises_foreign(const Path&, std::span<const std::byte> bytes) {
  return foreign_kind(bytes);
}

TokenFileInfo refuse_foreign(const Path& path, std::span<const std::byte> bytes) {
  const Foreign& kind = *foreign_kind(bytes);
  throw input_error("{}: is {}, expected a token file", path.string(), kind.name)
      .with_hint(kind.hint);
}

}  // namespace stagedtrain::data
