// The world's own HDF5 tools list and read a checkpoint; what they rewrite in other forms is
// refused.
#include <sstream>

#include "arch/architectures.h"
#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using test::contains;

namespace {

// What a tool prints. Requires that it is installed (hdf5-tools) and succeeds.
std::string tool(std::vector<std::string> arguments) {
  const test::CommandResult result = test::run({.arguments = std::move(arguments)});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return result.out;
}

}  // namespace

TEST_CASE("h5ls lists every tensor of every kind with its shape") {
  const test::TempDir dir;
  state::save(dir / "a.h5", test::tiny_state());
  const std::string list = tool({"h5ls", "-r", (dir / "a.h5").string()});
  const auto table = arch::param_table(test::tiny_model());
  std::istringstream lines(list);
  std::size_t datasets = 0;
  for (std::string line; std::getline(lines, line);) datasets += contains(line, "Dataset");
  CHECK(datasets == 3 * table.size() + 3);
  for (const state::TensorKind kind : state::kTensorKinds)
    for (const arch::ParamSpec& spec : table)
      CHECK(contains(list, std::string("/") + kind_name(kind) + "/" + spec.name));
  for (const char* name : {"/metadata", "/tokenizer", "/index"}) CHECK(contains(list, name));
}

TEST_CASE("h5dump gives back the bytes of a tensor and the version of the format") {
  const test::TempDir dir;
  const auto original = test::tiny_state();
  state::save(dir / "a.h5", original);
  const auto table = arch::param_table(original.model);
  for (const std::size_t i : {std::size_t{0}, table.size() - 1}) {
    tool({"h5dump", "-d", "/exp_avg_sq/" + table[i].name, "-b", "LE", "-o",
          (dir / "values").string(), (dir / "a.h5").string()});
    const auto bytes = original.of(state::TensorKind::exp_avg_sq)[i].bytes();
    CHECK(test::read_text(dir / "values") ==
          std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  const std::string root = tool({"h5dump", "-A", "-g", "/weights", (dir / "a.h5").string()});
  CHECK(contains(root, "H5T_IEEE_F32LE"));
  const std::string version = tool({"h5dump", "-a", "/format_version", (dir / "a.h5").string()});
  CHECK(contains(version, "(0): 3"));
}

TEST_CASE("the file is of the kind that is documented: superblock 2, user block, contiguous") {
  const test::TempDir dir;
  state::save(dir / "a.h5", test::tiny_state());
  const std::string header = tool({"h5dump", "-B", "-H", (dir / "a.h5").string()});
  CHECK(contains(header, "SUPERBLOCK_VERSION 2"));
  CHECK(contains(header, "USERBLOCK_SIZE 4096"));
  const std::string layout =
      tool({"h5dump", "-p", "-H", "-d", "/weights/embed.token", (dir / "a.h5").string()});
  CHECK(contains(layout, "CONTIGUOUS"));
}

TEST_CASE("h5dump lists the index: path, place and checksum of every block") {
  const test::TempDir dir;
  state::save(dir / "a.h5", test::tiny_state());
  const std::string index = tool({"h5dump", "-d", "/index", (dir / "a.h5").string()});
  for (const char* part : {"\"offset\"", "\"bytes\"", "\"crc32c\"", "\"structure",
                           "\"weights/embed.token", "\"metadata"})
    CHECK(contains(index, part));
}

TEST_CASE("a checkpoint that another program rewrote is refused") {
  const test::TempDir dir;
  const std::string from = (dir / "a.h5").string(), to = (dir / "b.h5").string();
  state::save(dir / "a.h5", test::tiny_state());
  SECTION("as it is") { tool({"h5repack", "--low=2", from, to}); }
  SECTION("compressed") { tool({"h5repack", "--low=2", "-f", "GZIP=1", "-m", "1", from, to}); }
  SECTION("chunked") { tool({"h5repack", "-l", "/weights/embed.token:CHUNK=4x4", from, to}); }
  test::refusal(ErrorKind::input, [&] { state::load(to); });
}
