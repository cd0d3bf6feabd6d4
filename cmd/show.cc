// `stagedtrain show`: what a file is, every checksum verified.
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cmd/commands.h"
#include "data/formats.h"
#include "state/description.h"

namespace stagedtrain::cmd {
namespace {

struct ShowArguments {
  std::string file;
  bool tensors = false, json = false;
};

constexpr const char* kFooter = R"(
Everything in the file is read and every checksum is verified before a word is printed, so a
checkpoint that 'show' describes is whole; a damaged one is refused with exit code 3 and the place
of the damage. A token file (train.bin) is described too.

Seconds are of training alone. "place in data" counts sequences of the training tokens; a resumed
run goes on from there. "identity" is a checksum over the whole content: equal states have equal
ones, and a grown checkpoint names its source by it.

Examples:
  stagedtrain show runs/first/stages/full.h5
  stagedtrain show runs/first/stages/full.h5 --tensors
  stagedtrain show runs/first/stages/full.h5 --json | jq .progress.step)";

std::string token_file_text(const data::TokenFile& file) {
  const data::TokenFileInfo& info = file.info();
  std::string text = fmt::format("{}: tokens for training ({} format), {} of {} byte{} each\n\n",
                                 file.path().string(), info.format, grouped(info.count),
                                 info.bytes_per_token, info.bytes_per_token == 1 ? "" : "s");
  const char* tokenizer = info.tokenizer.empty()      ? "not recorded"
                          : info.tokenizer == "bytes" ? "bytes"
                          : info.tokenizer.front() == '{' ? "byte-level BPE"
                                                      : "SentencePiece model";
  text += fmt::format("tokenizer     {}\n", tokenizer);
  if (info.vocab > 0) text += fmt::format("vocabulary    {} ids\n", grouped(info.vocab));
  if (info.text_bytes_per_token > 0)
    text += fmt::format("text          {:.4g} bytes a token\n", info.text_bytes_per_token);
  return text + fmt::format("fingerprint   {:08x}\n", file.fingerprint());
}

Json token_file_json(const data::TokenFile& file) {
  const data::TokenFileInfo& info = file.info();
  return {{"path", file.path().string()},
          {"kind", "tokens"},
          {"format", info.format},
          {"tokens", info.count},
          {"bytes_per_token", info.bytes_per_token},
          {"vocab", info.vocab},
          {"text_bytes_per_token", info.text_bytes_per_token},
          {"fingerprint", fmt::format("{:08x}", file.fingerprint())}};
}

// The token file of this name, if its first bytes say that it is one. (Raw files say nothing.)
std::unique_ptr<data::TokenFile> token_file(const Path& path) {
  const MappedFile file(path);
  for (const data::TokenFormat& format : data::token_formats())
    if (&format != &data::token_formats().back() && !file.bytes().empty() &&
        format.recognises(file.bytes()))
      return std::make_unique<data::TokenFile>(path);
  return nullptr;
}

std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // paths may be any bytes
}

std::string description(const ShowArguments& arguments) {
  const Path path = arguments.file;
  if (const auto tokens = token_file(path))
    return arguments.json ? json_text(token_file_json(*tokens)) : token_file_text(*tokens);
  const state::CheckpointReader reader(path);
  return arguments.json ? json_text(state::to_json(path, reader, arguments.tensors))
                        : state::to_text(path, reader, arguments.tensors);
}

}  // namespace

void add_show(CLI::App& app) {
  auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command = app.add_subcommand(
      "show", "Says what a checkpoint is: model, progress, ancestors; verifies its checksums");
  command->add_option("checkpoint", arguments->file, "a .h5 file, or a token file")
      ->required()
      ->type_name("CHECKPOINT");
  command->add_flag("--tensors", arguments->tensors,
                    "list the tensors too: shape, bytes, mean, deviation, range of the weights");
  command->add_flag("--json", arguments->json, "print everything as JSON, schedule included");
  command->footer(kFooter);
  command->callback([arguments] { std::fputs(description(*arguments).c_str(), stdout); });
}

}  // namespace stagedtrain::cmd
