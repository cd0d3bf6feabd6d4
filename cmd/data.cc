// Implements `stagedtrain data`: text becomes token files.
#include <memory>
#include <optional>

#include "cmd/commands.h"
#include "cmd/count_option.h"
#include "cmd/output.h"
#include "cmd/progress.h"
#include "prepare/escapes.h"
#include "prepare/prepare.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

constexpr std::int64_t kMostThreads = 1024;

struct DataArguments {
  data::PrepareOptions options;
  std::string folder, validation = "1%", split = "auto", format = "stagedtrain", field;
  std::optional<std::string> separator;
  bool json = false;
};

constexpr const char* kDataFooter = R"(
Inputs. A folder stands for all files in it, sorted by name, without hidden ones; a pattern in
quotes ('web/*.jsonl.gz') stands for all files that match. Files whose names end with .jsonl or
.ndjson (before .gz or .zst) hold one JSON object per line, whose --field is a document; all others
are text. Compressed files are recognised by their first bytes. The text of JSON lines, compressed
files and standard input is written beside the token files while it is read, and needs that much
disk space.

How text is split. If there are enough documents (at least one for validation, as 100 for 1%), each
document goes to one side as a whole: one of every 100 consecutive documents is for validation,
chosen by --seed. A document is a file, or each part of it that ends with --separator. Otherwise, or
with --split fraction, the text is cut at line ends into blocks (1 to 64 KiB), and one of every 100
consecutive blocks is for validation. Nothing is left out, repeated or reordered within a side.
--separator is added after each document of JSON lines to keep documents apart; if the tokenizer has
an end-of-text token, give that token.

Token files contain their tokenizer (docs/token-format.md), unless they are written with --format
llmc (the format of llm.c) or nanogpt (16-bit ids without a header); these are called train.bin and
val.bin. With a tokenizer model, text is encoded on all cores, in pieces of about 64 KiB that end at
line ends; the files do not depend on the number of cores.

Examples:
  stagedtrain data book.txt --out data/book
  stagedtrain data a.txt b.txt --out data/ab --validation 5% --tokenizer words.model
  stagedtrain data book.txt --out data/smol --tokenizer SmolLM2-135M/tokenizer.json
  stagedtrain data stories.txt --out data/stories --separator '<|endoftext|>\n'
  stagedtrain data 'web/*.jsonl.zst' --out data/web --separator '<|endoftext|>' --tokenizer gpt2.json
  zcat /usr/share/dictd/gcide.dict.dz | stagedtrain data - --out data/gcide)";

data::SplitRule parse_split(const std::string& text) {
  if (text == "auto") return data::SplitRule::automatic;
  if (text == "document") return data::SplitRule::document;
  if (text == "fraction") return data::SplitRule::fraction;
  throw usage_error("--split is '{}'{}", text, suggestion(text, {"auto", "document", "fraction"}));
}

data::TokenLayout parse_format(const std::string& text) {
  if (text == "stagedtrain") return data::TokenLayout::stagedtrain;
  if (text == "llmc") return data::TokenLayout::llmc;
  if (text == "nanogpt") return data::TokenLayout::nanogpt;
  throw usage_error("--format is '{}'{}", text,
                    suggestion(text, {"stagedtrain", "llmc", "nanogpt"}));
}

void run(DataArguments& arguments) {
  data::PrepareOptions& options = arguments.options;
  options.folder = arguments.folder;
  options.validation = data::parse_fraction(arguments.validation);
  options.split = parse_split(arguments.split);
  if (arguments.separator) {
    options.separator = data::unescaped(*arguments.separator, "--separator");
    if (options.separator.empty())
      throw usage_error("--separator is empty, expected the text that ends a document")
          .with_hint("leave it out if each file is one document");
  }
  options.format = parse_format(arguments.format);
  if (!arguments.field.empty()) options.field = arguments.field;
  ByteProgress progress;
  options.progress = [&](const char* what, std::uint64_t done, std::uint64_t total) {
    progress.update(what, done, total);
  };
  const data::PreparedData prepared = data::prepare(options);
  progress.clear();
  for (const std::string& warning : prepared.warnings)
    print_to_stderr(fmt::format("warning: {}\n", warning));
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
  command
      ->add_option("text", options.inputs,
                   "text or .jsonl files, plain or compressed (.gz, .zst), folders or patterns; - "
                   "is standard input")
      ->required()
      ->type_name("TEXT");
  command
      ->add_option("--out", arguments->folder,
                   "folder for the two files; created if it does not exist")
      ->required()
      ->type_name("DIR");
  command
      ->add_option("--tokenizer", options.tokenizer,
                   "bytes, or the path of a SentencePiece model, of a tokenizer.json with "
                   "byte-level BPE, or of a rank file of tiktoken (default: bytes)")
      ->type_name("bytes|FILE");
  command
      ->add_option("--validation", arguments->validation,
                   "share of the text for validation, above 0 and at most 50% (default: 1%)")
      ->type_name("SHARE");
  command
      ->add_option("--split", arguments->split,
                   "auto, document or fraction (default: auto, see below)")
      ->type_name("RULE");
  command
      ->add_option("--separator", arguments->separator,
                   "text that ends a document and stays part of it, added after each document of "
                   "JSON lines; \\n, \\r, \\t, \\0, \\\\ and \\xHH are understood")
      ->type_name("TEXT");
  command
      ->add_option("--field", arguments->field,
                   "field of JSON lines that holds the text (default: text); if given, standard "
                   "input is read as JSON lines too")
      ->type_name("NAME");
  command
      ->add_option("--format", arguments->format,
                   "format of the token files: stagedtrain, llmc or nanogpt (default: stagedtrain)")
      ->type_name("FORMAT");
  add_count(*command, "--threads", "threads that encode (default: 0, all cores)", "N", 0,
            kMostThreads, options.threads);
  add_count(*command, "--seed", "seed that chooses what is for validation (default: 1)", "N", 0,
            kMostSeed, options.seed);
  command->add_flag("--force", options.force, "replace existing files");
  command->add_flag("--json", arguments->json, "print the counts as JSON");
  command->footer(kDataFooter);
  command->callback([arguments] { run(*arguments); });
}

}  // namespace stagedtrain::cmd
