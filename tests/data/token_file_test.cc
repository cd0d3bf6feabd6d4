// Token files of every format: read as written, refused when damaged.
#include "data/token_file.h"

#include <chrono>

#include "base/rng.h"
#include "data/formats.h"
#include "data/token_header.h"
#include "prepare/token_writer.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/sentencepiece_model.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::data;
using test::contains;

namespace {

std::string uint16_text(const std::vector<int>& ids) {
  std::string bytes;
  for (int id : ids) {
    bytes += static_cast<char>(id & 0xff);
    bytes += static_cast<char>(id >> 8);
  }
  return bytes;
}

std::string llmc_text(std::int32_t magic, std::int32_t version, std::int32_t count,
                      const std::vector<int>& ids) {
  std::string bytes(1024, '\0');
  std::memcpy(bytes.data(), &magic, 4);
  std::memcpy(bytes.data() + 4, &version, 4);
  std::memcpy(bytes.data() + 8, &count, 4);
  return bytes + uint16_text(ids);
}

// Writes text as one of our own files.
Path own_file(const test::TempDir& folder, const std::string& text) {
  const auto tokenizer = Tokenizer::from_spec("bytes", "");
  TokenWriter writer(folder / "own.bin", *tokenizer);
  writer.append(tokenizer->encode(text));
  writer.finish({{"text_bytes", text.size()}});
  writer.commit();
  return writer.target();
}

std::vector<std::int32_t> all_tokens(const TokenFile& file) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(file.count()));
  file.read(0, ids, std::int64_t{1} << 31);
  return ids;
}

std::string refused(const Path& path) {
  return test::refusal(ErrorKind::input, [&] { TokenFile file(path); });
}

}  // namespace

TEST_CASE("nanoGPT's raw uint16 files are read") {
  const test::TempDir folder;
  test::write_text(folder / "raw.bin", uint16_text({50256, 0, 258, 65535}));
  const TokenFile file(folder / "raw.bin");
  CHECK(file.info().format == "raw uint16");
  CHECK(file.info().vocab == 0);
  CHECK(file.info().tokenizer.empty());
  CHECK(all_tokens(file) == std::vector<std::int32_t>{50256, 0, 258, 65535});
}

TEST_CASE("llm.c's files are read") {
  const test::TempDir folder;
  test::write_text(folder / "llmc.bin", llmc_text(20240520, 1, 3, {50256, 7, 300}));
  const TokenFile file(folder / "llmc.bin");
  CHECK(file.info().format == "llm.c");
  CHECK(all_tokens(file) == std::vector<std::int32_t>{50256, 7, 300});
}

TEST_CASE("llm.c's Llama 3 files are read as uint32") {
  const test::TempDir folder;
  std::string text = llmc_text(20240801, 7, 3, {});
  for (const int id : {128000, 7, 70000}) text += uint16_text({id & 0xffff, id >> 16});
  test::write_text(folder / "llama.bin", text);
  const TokenFile file(folder / "llama.bin");
  CHECK(file.info().format == "llm.c");
  CHECK(file.info().bytes_per_token == 4);
  CHECK(contains(file.info().note, "Llama 3"));
  CHECK(all_tokens(file) == std::vector<std::int32_t>{128000, 7, 70000});
  test::write_text(folder / "llama.bin", llmc_text(20240801, 1, 3, {1, 2, 3, 4, 5, 6}));
  CHECK(contains(refused(folder / "llama.bin"), "of version 1, expected version 7"));
  test::write_text(folder / "llama.bin", llmc_text(20240801, 7, 3, {1, 2, 3}));
  CHECK(contains(refused(folder / "llama.bin"), "promises 3 tokens (1036 bytes in all)"));
}

TEST_CASE("a header like llm.c's under an unknown number is refused, not read as bare ids") {
  const test::TempDir folder;
  const int width = GENERATE(2, 4);
  test::write_text(
      folder / "new.bin",
      llmc_text(20270101, 1, 300, std::vector<int>(150u * static_cast<unsigned>(width), 9)));
  const std::string said = refused(folder / "new.bin");
  CHECK(contains(said, "begins like a token file of llm.c, but its first number is 20270101"));
}

TEST_CASE("files of other kinds are refused by their names") {
  const test::TempDir folder;
  const auto said = [&](std::string start) {
    start.resize(6000, '\x11');
    test::write_text(folder / "a.bin", start);
    return refused(folder / "a.bin");
  };
  using namespace std::string_literals;
  const auto llmc = [](std::int32_t magic) {
    return std::string(reinterpret_cast<const char*>(&magic), sizeof magic);
  };
  CHECK(contains(said(llmc(20240522)), "is an evaluation file of llm.c"));
  CHECK(contains(said(llmc(20240326)), "is a model of llm.c"));
  CHECK(contains(said(llmc(20240327)), "is a debug state of llm.c"));
  CHECK(contains(said(llmc(20240328)), "is a tokenizer of llm.c"));
  CHECK(contains(said(llmc(20240527)), "is an optimizer state of llm.c"));
  CHECK(contains(said("\x89HDF\r\n\x1a\n"), "is an HDF5 file, as checkpoints are"));
  CHECK(contains(said("\x93NUMPY\1\0"s), "is a NumPy .npy file"));
  CHECK(contains(said("PK\3\4"), "is a zip archive"));
  CHECK(contains(said("\x1f\x8b\x08"), "is a gzip file"));
  CHECK(contains(said("\x28\xb5\x2f\xfd"), "is a zstd file"));
  CHECK(contains(said("MMIDIDX\0\0"s), "is the index of a Megatron data set"));
  CHECK(contains(said("GGUF"), "is a GGUF model"));
}

TEST_CASE("a folder given for a token file says which file was meant") {
  const test::TempDir folder;
  CHECK(contains(refused(folder.path()), "stagedtrain data TEXT --out DIR"));
  test::write_text(folder / "train.bin", "x");
  CHECK(contains(refused(folder.path()), "give " + (folder / "train.bin").string()));
}

TEST_CASE("llm.c files of another version or with a wrong count say what was found") {
  const test::TempDir folder;
  const Path path = folder / "llmc.bin";
  test::write_text(path, llmc_text(20240520, 2, 2, {1, 2}));
  CHECK(contains(refused(path), "of version 2, expected version 1"));
  test::write_text(path, llmc_text(20240520, 1, 3, {1, 2}));
  CHECK(contains(refused(path), "promises 3 tokens (1030 bytes in all), found 1028 bytes"));
  test::write_text(path, llmc_text(20240520, 1, -3, {1, 2}));
  CHECK(contains(refused(path), "promises -3 tokens"));
  test::write_text(path, llmc_text(20240520, 1, 2, {1, 2}).substr(0, 500));
  CHECK(contains(refused(path), "cut short"));
}

TEST_CASE("files that are missing, empty, folders or of odd length are refused") {
  const test::TempDir folder;
  test::write_text(folder / "empty.bin", "");
  test::write_text(folder / "odd.bin", "abc");
  CHECK(contains(refused(folder / "none.bin"), "No such file"));
  CHECK(contains(refused(folder / "empty.bin"), "empty"));
  CHECK(contains(refused(folder.path()), "not a regular file"));
  const std::string message = refused(folder / "odd.bin");
  INFO(message);
  CHECK(contains(message, "3 bytes, an odd length"));
  CHECK(contains(message, "stagedtrain data"));
}

TEST_CASE("our own files come back with tokens, vocabulary, tokenizer and text size") {
  const test::TempDir folder;
  const TokenFile file(own_file(folder, "hello \xff"));
  CHECK(file.info().format == "stagedtrain");
  CHECK(file.info().bytes_per_token == 1);
  CHECK(file.info().vocab == 256);
  CHECK(file.info().tokenizer == "bytes");
  CHECK(file.info().text_bytes_per_token == 1.0);
  CHECK(file.info().first_byte == 4096);
  CHECK(all_tokens(file) == std::vector<std::int32_t>{'h', 'e', 'l', 'l', 'o', ' ', 255});
}

TEST_CASE("ids take one, two or four bytes as the vocabulary needs, and the model travels along") {
  const auto [words, width] =
      GENERATE(table<std::size_t, int>({{1, 2}, {1000, 2}, {65277, 2}, {65278, 4}, {66000, 4}}));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < words; ++i) names.push_back("w" + std::to_string(i));
  const auto tokenizer = Tokenizer::from_spec(test::sentencepiece_model(names), "model");
  const test::TempDir folder;
  TokenWriter writer(folder / "own.bin", *tokenizer);
  const std::vector<std::int32_t> ids = {0, 258, static_cast<std::int32_t>(tokenizer->vocab() - 1)};
  writer.append(ids);
  writer.finish({{"text_bytes", 6}});
  writer.commit();
  const TokenFile file(folder / "own.bin");
  CHECK(file.info().bytes_per_token == width);
  CHECK(file.info().vocab == static_cast<std::int64_t>(words) + 259);
  CHECK(file.info().tokenizer == tokenizer->spec());
  CHECK(file.info().text_bytes_per_token == 2.0);
  CHECK(file.info().first_byte % 4096 == 0);
  CHECK(all_tokens(file) == ids);
}

TEST_CASE("a flipped bit anywhere in one of our files is refused") {
  const test::TempDir folder;
  const std::string text = test::read_text(own_file(folder, std::string(3000, 'x')));
  const CounterRng rng(1, 2);
  const Path path = folder / "bad.bin";
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::string bad = text;
    const std::size_t place = i < 200 ? rng.below(i, 128) : rng.below(i, text.size());
    bad[place] = static_cast<char>(bad[place] ^ 1 << rng.below(i, 8));
    test::write_text(path, bad);
    INFO("byte " << place);
    const std::string message =
        test::refusal(ErrorKind::input, [&] { TokenFile(path).check_vocab(256); });
    CHECK(contains(message, "bad.bin: "));
  }
}

TEST_CASE("one of our files cut short anywhere, or with bytes added, is refused") {
  const test::TempDir folder;
  const std::string text = test::read_text(own_file(folder, std::string(3000, 'x')));
  const Path path = folder / "bad.bin";
  for (std::size_t size : {16, 63, 64, 4095, 4096, 4097, 7095, 7097}) {
    test::write_text(path, size < text.size() ? text.substr(0, size) : text + "x");
    INFO("cut to " << size);
    CHECK(contains(refused(path), "damaged token file"));
  }
}

TEST_CASE("one of our files from a newer version is refused by its version") {
  const test::TempDir folder;
  std::string text = test::read_text(own_file(folder, "abc"));
  text[16] = 2;
  test::write_text(folder / "new.bin", text);
  CHECK(contains(refused(folder / "new.bin"), "token file of version 2, expected version 1"));
}

TEST_CASE("headers that lie are refused, not followed") {
  const test::TempDir folder;
  const Path path = folder / "bad.bin";
  const auto write = [&](TokenHeader header, std::size_t token_bytes) {
    header.header_bytes = reserved_header_bytes(header.tokenizer.size());
    const auto packed = pack_header(header);
    test::write_text(path,
                     std::string(reinterpret_cast<const char*>(packed.data()), packed.size()) +
                         std::string(token_bytes, 'x'));
  };
  const std::string good = R"({"tokenizer":"bytes","text_bytes":4})";
  write({.count = 4, .bytes_per_token = 1, .vocab = 256, .metadata = good}, 4);
  CHECK(TokenFile(path).count() == 4);
  write({.count = 4, .bytes_per_token = 3, .vocab = 256, .metadata = good}, 12);
  CHECK(contains(refused(path), "3 bytes per token, expected 1, 2 or 4"));
  write({.count = std::uint64_t{1} << 63, .bytes_per_token = 2, .vocab = 256, .metadata = good}, 4);
  CHECK(contains(refused(path), "promises"));
  write({.count = 0, .bytes_per_token = 1, .vocab = 256, .metadata = good}, 0);
  CHECK(contains(refused(path), "promises 0 tokens"));
  write({.count = 4, .bytes_per_token = 1, .vocab = 256, .metadata = "{"}, 4);
  CHECK(contains(refused(path), "not valid JSON"));
  write({.count = 4,
         .bytes_per_token = 1,
         .vocab = 256,
         .metadata = R"({"tokenizer":3,"text_bytes":"x"})"},
        4);
  CHECK(contains(refused(path), "metadata"));
}

TEST_CASE("a token beyond the vocabulary is found with its position") {
  const test::TempDir folder;
  std::vector<int> ids(200000, 5);
  ids[123456] = 300;
  test::write_text(folder / "raw.bin", uint16_text(ids));
  const TokenFile file(folder / "raw.bin");
  CHECK_NOTHROW(file.check_vocab(301));
  CHECK_NOTHROW(file.check_vocab(256, 1000));  // larger than that: checked as it is read
  const std::string message = test::refusal(ErrorKind::input, [&] { file.check_vocab(300); });
  INFO(message);
  CHECK(contains(message, "token 123,456 is 300, expected ids below the vocabulary of 300"));
}

TEST_CASE("ids beyond 2^31 are refused, not taken for negative ones") {
  const test::TempDir folder;
  const std::string metadata = R"({"tokenizer":"sentencepiece","text_bytes":4})";
  TokenHeader header{.count = 1, .bytes_per_token = 4, .vocab = 70000, .metadata = metadata};
  header.header_bytes = reserved_header_bytes(0);
  const auto packed = pack_header(header);
  test::write_text(folder / "a.bin",
                   std::string(reinterpret_cast<const char*>(packed.data()), packed.size()) +
                       "\xff\xff\xff\xff");
  const TokenFile file(folder / "a.bin");
  std::int32_t id = 0;
  const auto read = [&] { file.read(0, std::span(&id, 1), 70000); };
  CHECK(contains(test::refusal(ErrorKind::input, read), "is 4294967295"));
}

TEST_CASE("the fingerprint changes with size, header and tokens") {
  const test::TempDir folder;
  const auto print = [&](const std::string& bytes) {
    test::write_text(folder / "a.bin", bytes);
    return TokenFile(folder / "a.bin").fingerprint();
  };
  const std::string small = uint16_text(std::vector<int>(500, 7)),
                    large = uint16_text(std::vector<int>(400000, 7));
  for (const std::string& bytes : {small, large}) {
    const std::uint32_t whole = print(bytes);
    CHECK(print(bytes) == whole);
    CHECK(print(bytes + "ab") != whole);
    std::string first = bytes, last = bytes;
    first.front() ^= 1;
    last.back() ^= 1;
    CHECK(print(first) != whole);
    CHECK(print(last) != whole);
  }
  CHECK(print(llmc_text(20240520, 1, 2, {1, 2})) != print(llmc_text(20240520, 1, 2, {1, 3})));
}

TEST_CASE("a file that was replaced or written to is no longer the one that was opened") {
  const test::TempDir folder;
  const Path path = folder / "a.bin", other = folder / "b.bin";
  const std::string before = uint16_text({1, 2, 3, 4}), after = uint16_text({1, 2, 3, 5});
  test::write_text(path, before);
  const TokenFile file(path);
  const std::uint32_t fingerprint = file.fingerprint();
  CHECK(file.same_file_on_disk());
  CHECK_NOTHROW(file.check_unchanged(fingerprint));

  test::write_text(other, before);  // another file with the same content
  std::filesystem::rename(other, path);
  CHECK_FALSE(file.same_file_on_disk());
  CHECK_NOTHROW(file.check_unchanged(fingerprint));

  test::write_text(other, after);
  std::filesystem::rename(other, path);
  const auto refused_check = [&] {
    return test::refusal(ErrorKind::input, [&] { file.check_unchanged(fingerprint); });
  };
  CHECK(contains(refused_check(), "a.bin: was changed while it was in use: found fingerprint"));
  std::filesystem::remove(path);
  CHECK_FALSE(file.same_file_on_disk());
  CHECK(contains(refused_check(), "a.bin: cannot read: No such file"));
}

TEST_CASE("a file overwritten in place with as many bytes is seen by the time of the write") {
  const test::TempDir folder;
  const Path path = folder / "a.bin";
  test::write_text(path, uint16_text({1, 2, 3, 4}));
  using namespace std::chrono_literals;
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) - 1h);
  const TokenFile file(path);
  const std::uint32_t fingerprint = file.fingerprint();
  test::write_text(path, uint16_text({4, 3, 2, 1}));
  CHECK_FALSE(file.same_file_on_disk());
  test::refusal(ErrorKind::input, [&] { file.check_unchanged(fingerprint); });
}

TEST_CASE("the table of formats ends with one that takes every file") {
  const auto& table = token_formats();
  REQUIRE(table.size() == 6);
  CHECK(table.back().recognises("any.bin", std::as_bytes(std::span("any", 3))));
  for (std::size_t i = 0; i + 1 < table.size(); ++i)
    CHECK_FALSE(table[i].recognises("any.bin", std::as_bytes(std::span("any", 3))));
}
