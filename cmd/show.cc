// Implements `stagedtrain show`: describes a file and verifies all of its checksums.
#include <cstring>
#include <memory>

#include "cmd/commands.h"
#include "cmd/output.h"
#include "data/token_file.h"
#include "inspect/description.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"
#include "tokenizers/same_tokenizer.h"

namespace stagedtrain::cmd {
namespace {

struct ShowArguments {
  std::string file;
  bool tensors = false, json = false;
};

constexpr const char* kShowFooter = R"(
The whole file is read and every checksum is verified before anything is printed, so a checkpoint
that 'show' describes is intact; a damaged one is refused with exit code 3 and the place of the
damage. Every token file that training can read is described too: those of 'stagedtrain data',
those of llm.c, and files of bare ids, with the format that they are read as. A name that ends in
.h5 means a checkpoint.

Seconds are those of training alone. "data position" counts sequences of the training tokens; a
resumed run continues from there. "identity" is a checksum over the whole content: equal states
have equal identities, and a grown checkpoint names its source by it. Two runs that computed the
same still differ in it, because their seconds and names differ; the checksum over the tensors
alone shows that they are the same.

Examples:
  stagedtrain show runs/first/stages/full.h5
  stagedtrain show runs/first/stages/full.h5 --tensors
  stagedtrain show runs/first/stages/full.h5 --json | jq .progress.step)";

constexpr std::uint64_t kWholeFile = ~std::uint64_t{0};

std::string token_file_text(const data::TokenFile& file) {
  const data::TokenFileInfo& info = file.info();
  std::string text =
      fmt::format("{}: tokens for training ({} format), {} of {} each\n\n", file.path().string(),
                  info.format, grouped(info.count), counted(info.bytes_per_token, "byte"));
  text += fmt::format("tokenizer     {}\n", data::describe_tokenizer(info.tokenizer));
  if (info.vocab > 0) text += fmt::format("vocabulary    {} ids\n", grouped(info.vocab));
  if (info.text_bytes_per_token > 0)
    text += fmt::format("text          {:.4g} bytes per token{}\n", info.text_bytes_per_token,
                        info.lossless == false ? ", not all of which the tokenizer keeps" : "");
  if (info.documents > 0) text += fmt::format("documents     {}\n", grouped(info.documents));
  if (!info.note.empty()) text += fmt::format("note          {}\n", info.note);
  if (!info.warning.empty()) text += fmt::format("warning       {}\n", info.warning);
  return text + fmt::format("fingerprint   {:08x}\n", file.fingerprint());
}

Json token_file_json(const data::TokenFile& file) {
  const data::TokenFileInfo& info = file.info();
  return {{"path", file.path().string()},
          {"kind", "tokens"},
          {"format", info.format},
          {"tokens", info.count},
          {"bytes_per_token", info.bytes_per_token},
          {"documents", info.documents > 0 ? Json(info.documents) : Json(nullptr)},
          {"vocab", info.vocab},
          {"tokenizer", data::describe_tokenizer(info.tokenizer)},
          {"text_bytes_per_token", info.text_bytes_per_token},
          {"lossless", info.lossless ? Json(*info.lossless) : Json(nullptr)},
          {"taken_for", info.note},
          {"warning", info.warning},
          {"fingerprint", fmt::format("{:08x}", file.fingerprint())}};
}

// Decides by the file's name, or by the first bytes of an HDF5 file. All other files are taken for
// token files, which need not have a header.
bool is_checkpoint(const Path& path) {
  if (path.extension() == ".h5") return true;
  constexpr std::string_view kHdf5 = "\x89HDF";
  std::error_code none;
  // CheckpointReader then reports what the path is.
  if (!std::filesystem::is_regular_file(path, none)) return true;
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return bytes.size() >= kHdf5.size() && std::memcmp(bytes.data(), kHdf5.data(), kHdf5.size()) == 0;
}

std::string description(const ShowArguments& arguments) {
  const Path path = arguments.file;
  if (!is_checkpoint(path)) {
    const data::TokenFile tokens(path);
    if (tokens.info().tokens_crc) tokens.check_vocab(tokens.info().vocab, kWholeFile);
    return arguments.json ? json_text(token_file_json(tokens)) + "\n" : token_file_text(tokens);
  }
  const state::CheckpointReader reader(path);
  return arguments.json ? json_text(state::to_json(path, reader, arguments.tensors)) + "\n"
                        : state::to_text(path, reader, arguments.tensors);
}

}  // namespace

void add_show(CLI::App& app) {
  auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command = app.add_subcommand(
      "show", "Describes a checkpoint or a token file, and verifies its checksums");
  command->add_option("checkpoint", arguments->file, "a .h5 file, or a token file")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_flag("--tensors", arguments->tensors,
                    "list the tensors too: shape, bytes, mean, deviation, range of the weights");
  command->add_flag("--json", arguments->json, "print everything as JSON, schedule included");
  command->footer(kShowFooter);
  command->callback([arguments] { print(description(*arguments)); });
}

}  // namespace stagedtrain::cmd
