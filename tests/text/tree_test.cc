// Trees: access, overlay and YAML text.
#include "text/tree.h"

#include "support/catch.h"
#include "support/errors.h"

using namespace stagedtrain;

namespace {

Tree small_tree() {
  Tree tree = Tree::map();
  tree.set("seed", Tree::scalar("1"));
  Tree model = Tree::map();
  model.set("layers", Tree::scalar("6"));
  model.set("width", Tree::scalar("128"));
  tree.set("model", model);
  tree.set("betas", Tree::list({Tree::scalar("0.9"), Tree::scalar("0.95")}));
  return tree;
}

std::string yaml_of(const std::string& text, bool quoted = false) {
  Tree tree = Tree::scalar(text);
  tree.quoted = quoted;
  return to_yaml(tree);
}

}  // namespace

TEST_CASE("a tree finds, replaces, appends and erases entries") {
  Tree tree = small_tree();
  REQUIRE(tree.find("model"));
  CHECK(tree.find("model")->find("layers")->text == "6");
  CHECK(tree.find("missing") == nullptr);
  tree.set("seed", Tree::scalar("2"));
  CHECK(tree.find("seed")->text == "2");
  CHECK(tree.entries.size() == 3);
  tree.erase("seed");
  CHECK(tree.find("seed") == nullptr);
  Tree none;
  none.set("a", Tree::scalar("b"));
  CHECK(none.kind == Tree::Kind::map);
}

TEST_CASE("a tree is written as YAML in its own order") {
  CHECK(to_yaml(small_tree()) == "seed: 1\nmodel: {layers: 6, width: 128}\nbetas: [0.9, 0.95]\n");
  Tree stages = Tree::map();
  Tree stage = Tree::map();
  stage.set("name", Tree::scalar("shallow"));
  stages.set("stages", Tree::list({stage, stage}));
  CHECK(to_yaml(stages) == "stages:\n  - {name: shallow}\n  - {name: shallow}\n");
}

TEST_CASE("text that YAML would take for something else is quoted") {
  CHECK(yaml_of("plain words") == "plain words\n");
  CHECK(yaml_of("20%") == "20%\n");
  CHECK(yaml_of("-3") == "-3\n");
  CHECK(yaml_of("1e-8") == "1e-8\n");
  CHECK(yaml_of("5", true) == "\"5\"\n");
  CHECK(yaml_of("") == "\"\"\n");
  CHECK(yaml_of("null") == "\"null\"\n");
  CHECK(yaml_of("a: b") == "\"a: b\"\n");
  CHECK(yaml_of("say \"x\"\\") == "\"say \\\"x\\\"\\\\\"\n");
  CHECK(yaml_of("two\nlines") == "\"two\\nlines\"\n");
  CHECK(yaml_of("a\rb\x7f") == "\"a\\x0db\\x7f\"\n");
  Tree named = Tree::map();
  named.set("- a: b", Tree::scalar("1"));
  CHECK(to_yaml(named) == "\"- a: b\": 1\n");
  CHECK(yaml_of(" padded ") == "\" padded \"\n");
  CHECK(yaml_of("- item") == "\"- item\"\n");
}

TEST_CASE("an overlay replaces leaf by leaf and keeps the rest") {
  Tree over = Tree::map();
  Tree model = Tree::map();
  model.set("layers", Tree::scalar("12"));
  model.set("heads", Tree::scalar("4"));
  over.set("model", model);
  over.set("betas", Tree::scalar("none"));
  const Tree merged = overlay(small_tree(), over);
  CHECK(to_yaml(merged) == "seed: 1\nmodel: {layers: 12, width: 128, heads: 4}\nbetas: none\n");
}

TEST_CASE("a mark says file, line and column, as far as they are known") {
  CHECK(to_string(Mark{}).empty());
  const auto file = std::make_shared<const std::string>("a.yaml");
  CHECK(to_string(Mark{file, 3, 7}) == "a.yaml:3:7: ");
  CHECK(to_string(Mark{file, 0, 0}) == "a.yaml: ");
  Tree tree = Tree::scalar("x");
  tree.mark = {file, 3, 7};
  CHECK(std::string(tree.error("found {}", 5).what()) == "a.yaml:3:7: found 5");
}

TEST_CASE("a tree describes itself in a few words") {
  CHECK(Tree{}.describe() == "nothing");
  CHECK(Tree::scalar("abc").describe() == "'abc'");
  CHECK(Tree::map().describe() == "a map");
  CHECK(Tree::list({Tree{}, Tree{}}).describe() == "a list of 2");
  CHECK(Tree::scalar(std::string(500, 'x')).describe().size() < 70);
}
