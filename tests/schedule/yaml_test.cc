// Strict YAML: what is read, and everything that is refused where yaml-cpp would not.
#include "schedule/yaml.h"

#include <ctime>

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

Tree read(const std::string& text) { return schedule::parse_yaml(text, "x.yaml"); }

// What the refusal says; it must come fast, whatever the text would grow to.
std::string refused(const std::string& text) {
  const std::clock_t start = std::clock();  // of the processor: others may be busy
  const std::string said = test::refusal(ErrorKind::usage, [&] { read(text); });
  CHECK(std::clock() - start < 2 * CLOCKS_PER_SEC);
  return said;
}

void check_refused(const std::string& text, const std::string& says) {
  const std::string said = refused(text);
  INFO(said);
  CHECK(contains(said, says));
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("YAML becomes a tree of texts that knows where each was written") {
  const Tree tree = read("a: 1e6\nb: [x, 'y', ~]\nc:\n  d: \"010\"  # a comment\n");
  REQUIRE(tree.kind == Tree::Kind::map);
  CHECK(tree.find("a")->text == "1e6");
  CHECK(to_string(tree.find("a")->mark) == "x.yaml:1:4: ");
  const Tree& list = *tree.find("b");
  REQUIRE(list.items.size() == 3);
  CHECK_FALSE(list.items[0].quoted);
  CHECK(list.items[1].quoted);
  CHECK(list.items[2].kind == Tree::Kind::none);
  const Tree& inner = *tree.find("c")->find("d");
  CHECK(inner.quoted);
  CHECK(inner.text == "010");
  CHECK(to_string(inner.mark) == "x.yaml:4:6: ");
  CHECK(to_string(tree.find("c")->entries[0].mark) == "x.yaml:4:3: ");
}

TEST_CASE("an empty document is nothing, and an end mark ends it") {
  CHECK(read("").kind == Tree::Kind::none);
  CHECK(read("# only a comment\n").kind == Tree::Kind::none);
  CHECK(read("---\na: 1\n...\n").find("a")->text == "1");
  CHECK(read("a: 1\r\nb: 2\r\n").find("b")->text == "2");
}

TEST_CASE("aliases stand for the value that they name") {
  const Tree tree = read("a: &x {k: 1}\nb: *x\nc: [*x, *x]\n");
  CHECK(tree.find("b")->find("k")->text == "1");
  CHECK(tree.find("c")->items[1].find("k")->text == "1");
}

TEST_CASE("a key that stands twice is refused with both places") {
  check_refused("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: key 'a' appears twice; the first is at line 1");
  check_refused("m: {k: 1, k: 2}\n", "x.yaml:1:11: key 'k' appears twice; the first is at line 1");
  check_refused("a: 1\n\"a\": 2\n", "x.yaml:2:1: key 'a' appears twice; the first is at line 1");
}

TEST_CASE("a second document is refused where it starts") {
  check_refused("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document starts here");
  check_refused("a: 1\n---\n", "a second document");
  check_refused("{a: 1}\nb: 2\n", "x.yaml:2:");
}

TEST_CASE("bad syntax is refused with file, line and column") {
  check_refused("a: 1\nb: [1, 2\n", "x.yaml:3:1: not YAML: end of sequence flow not found");
  check_refused("a: 'x'\nb: 'open\nc: 1\n", "x.yaml:2:4: not YAML: a quote that is never closed");
  check_refused("a: \"open \\\"\n", "not YAML: ");
  check_refused("a: b: c\n", "x.yaml:1:5: not YAML: ");
  check_refused("a: *nobody\n", "x.yaml:1:4: not YAML: ");
  check_refused("a: 1\n  b: 2\n", "x.yaml:2:4: not YAML: ");
}

TEST_CASE("keys are words, and tags are refused") {
  check_refused("[1, 2]: 3\n", "x.yaml:1:1: found a list of 2 as a key, expected a word");
  check_refused("~: 3\n", "found nothing as a key");
  check_refused("a: !!binary aGk=\n", "a tag (tag:yaml.org,2002:binary), expected plain values");
  check_refused("a: !x [1]\n", "x.yaml:1:4: found a tag (!x)");
  check_refused("a: !x {b: 1}\n", "a tag (!x)");
}

TEST_CASE("nesting is refused beyond 32 levels, however deep it goes") {
  const auto nested = [](int levels) { return repeated("[", levels) + repeated("]", levels); };
  CHECK(read(nested(32)).kind == Tree::Kind::list);
  check_refused(nested(33), "x.yaml:1:33: nested deeper than 32 levels");
  check_refused(repeated("[", 500000), "nested deeper than 32 levels");
  check_refused(repeated("{a: ", 200000), "nested deeper than 32 levels");
}

TEST_CASE("aliases cannot make a small file large") {
  std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before +
              repeated(", " + before, 8) + "]\n";
  }
  check_refused(laughs, "more than 20000 values (aliases count each time)");
  const std::string one_long = "a: &x \"" + std::string(500000, 'x') + "\"\nb: [*x";
  check_refused(one_long + repeated(", *x", 20000) + "]\n", "more than 20000 values");
  check_refused("a: &x [*x]\n", "x.yaml:1:8: found an alias inside the value that it names");
}

TEST_CASE("too much, and what is not text, is refused") {
  check_refused("a: " + std::string(1 << 20, 'x'), "x.yaml: is 1.0 MiB, expected at most 1 MiB");
  check_refused(std::string("a: \0b", 5), "x.yaml: is not text: byte 3 is zero");
  check_refused("a: [" + repeated("1,", 20001) + "]", "more than 20000 values");
}
