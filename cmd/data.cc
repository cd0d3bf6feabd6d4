// `stagedtrain data`: text to token files.
#include <map>
#include <memory>

#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "data/escapes.h"
#include "data/prepare.h"

namespace stagedtrain::cmd {
namespace {

struct DataArguments {
  data::PrepareOptions options;
  std::string folder, validation = "1%", split = "auto", separator;
  bool json = false;
};

constexpr const char* kFooter = R"(
How text is split. With enough documents (at least one for validation, as 100 for 1%) whole
documents go to one side: of each 100 in turn one is for validation, chosen by --seed. A file is a
document, or each part of it that ends with --separator. Otherwise, or with --split fraction, the
text is cut at line ends into blocks (1 to 64 KiB), and of each 100 blocks in turn one is for
validation. Nothing is left out, repeated or reordered within a side.

Token files carry their tokenizer (docs/token-format.md). With a model text is encoded in pieces of
about 64 KiB that end at line ends.

Examples:
  stagedtrain data book.txt --out data/book
  stagedtrain data a.txt b.txt --out data/ab --validation 5% --tokenizer words.model
  stagedtrain data book.txt --out data/smol --tokenizer SmolLM2-135M/tokenizer.json
  stagedtrain data stories.txt --out data/stories --separator '<|endoftext|>\n'
  zcat /usr/share/dictd/gcide.dict.dz | stagedtrain data - --out data/gcide)";

data::SplitRule parse_split(const std::string& text) {
  if (text == "auto") return data::SplitRule::automatic;
  if (text == "document") return data::SplitRule::document;
  if (text == "fraction") return data::SplitRule::fraction;
  throw usage_error("--split is '{}'{}", text, suggestion(text, {"auto", "document", "fraction"}));
}

void run(DataArguments& arguments) {
  data::PrepareOptions& options = arguments.options;
  options.folder = arguments.folder;
  options.validation = data::parse_fraction(arguments.validation);
  options.split = parse_split(arguments.split);
  options.separator = data::unescaped(arguments.separator, "--separator");
  const data::PreparedData prepared = data::prepare(options);
  for (const std::string& warning : prepared.warnings)
    tell(fmt::format("warning: {}\n", warning));
  const std::string text =
      arguments.json ? json_text(data::to_json(prepared)) + "\n" : data::to_text(prepared);
  print(text);
}

}  // namespace

void add_data(CLI::App& app) {
  auto arguments = std::make_shared<DataArguments>();
  data::PrepareOptions& options = arguments->options;
  CLI::App* command = app.add_subcommand(
      "data", "Turns text into token files: DIR/train.bin and DIR/validation.bin");
  command->add_option("text", options.inputs, "text files; - is standard input")
      ->required()
      ->type_name("TEXT");
  command
      ->add_option("--out", arguments->folder, "folder for the two files; made if it is not there")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--tokenizer", options.tokenizer,
                   "bytes, or the path of a SentencePiece model or of a tokenizer.json with "
                   "byte-level BPE (default: bytes)")
      ->type_name("bytes|FILE");
  command
      ->add_option("--validation", arguments->validation,
                   "share for validation, above 0 and at most 50% (default: 1%)")
      ->type_name("SHARE");
  command
      ->add_option("--split", arguments->split,
                   "auto, document or fraction (default: auto, see below)")
      ->type_name("RULE");
  command
      ->add_option(
          "--separator", arguments->separator,
          "text that ends a document and stays part of it; \\n, \\r, \\t, \\0, \\\\ and \\xHH are "
          "understood")
      ->type_name("TEXT");
  command->add_option("--seed", options.seed, "which parts are for validation (default: 1)")
      ->type_name("N");
  command->add_flag("--force", options.force, "replace existing files");
  command->add_flag("--json", arguments->json, "print the counts as JSON");
  command->footer(kFooter);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace stagedtrain::cmd
