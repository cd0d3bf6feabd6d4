// What operators of free sizes reach, and what they refuse.
#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

namespace {

arch::ModelConfig llama() {
  return arch::resolved({.architecture = "llama",
                         .layers = 2,
                         .width = 12,
                         .heads = 4,
                         .kv_heads = 2,
                         .head_dim = 4,
                         .ffn = 20,
                         .vocab = 11,
                         .context = 8});
}

std::string refused(const std::string& list, const arch::ModelConfig& from = test::tiny_model()) {
  return test::refusal(ErrorKind::usage, [&] { test::recipe_of(list, from); });
}

}  // namespace

TEST_CASE("lemon reaches any size, with the epsilon that keeps its norms") {
  const arch::ModelConfig to =
      test::recipe_of("[{operator: lemon, width: 20, layers: 3, heads: 5, ffn: 33}]").to;
  CHECK(to.width == 20);
  CHECK(to.layers == 3);
  CHECK(to.heads == 5);
  CHECK(to.kv_heads == 5);
  CHECK(to.ffn == 33);
  CHECK(to.norm_eps == Approx(1e-5 * 16 / 20));
  CHECK(test::recipe_of("[{operator: lemon, width: 24}]").to.norm_eps == 1e-5);
}

TEST_CASE("queries that share a key head grow with it, or alone, or the keys do") {
  const auto heads = [](const std::string& sizes) {
    const auto to = test::recipe_of("[{operator: expand, " + sizes + "}]", llama()).to;
    return std::pair(to.heads, to.kv_heads);
  };
  CHECK(heads("heads: 8") == std::pair<std::int64_t, std::int64_t>{8, 4});
  CHECK(heads("heads: 8, kv_heads: 2") == std::pair<std::int64_t, std::int64_t>{8, 2});
  CHECK(heads("kv_heads: 4") == std::pair<std::int64_t, std::int64_t>{4, 4});
  CHECK(contains(refused("[{operator: expand, heads: 7}]", llama()), "expected a multiple of 2"));
  CHECK(contains(refused("[{operator: expand, heads: 6, kv_heads: 6}]", llama()),
                 "query heads per key head: found 1, expected at least 2 as before"));
}

TEST_CASE("head_dim takes the values with it, unless they have a size of their own") {
  CHECK(test::recipe_of("[{operator: expand, head_dim: 6}]").to.value_dim == 6);
  CHECK(test::recipe_of("[{operator: expand, head_dim: 6, value_dim: 4}]").to.value_dim == 4);
  CHECK(test::recipe_of("[{operator: expand, value_dim: 6}]").to.head_dim == 4);
}

TEST_CASE("with RoPE head_dim grows by whole factors") {
  CHECK(contains(refused("[{operator: expand, head_dim: 6}]", llama()),
                 "head_dim 6 with RoPE, expected a multiple of 4"));
  CHECK(test::recipe_of("[{operator: expand, head_dim: 8}]", llama()).to.head_dim == 8);
}

TEST_CASE("a long context has many rows, and is no growth of too many blocks") {
  arch::ModelConfig model = test::tiny_model();
  model.context = 1024;
  CHECK(test::recipe_of("[{operator: context, length: 2048}]", model).to.context == 2048);
}

TEST_CASE("sizes that cannot be are refused with what could") {
  CHECK(contains(refused("[{operator: lemon}]"), "lemon needs a size to reach"));
  CHECK(contains(refused("[{operator: lemon, width: 7}]"),
                 "width: found 7, but the source has 8; expected at least as many"));
  CHECK(contains(refused("[{operator: llama_pro, groups: 3}]"),
                 "groups: 3 does not divide the source's 2 layers"));
  CHECK(contains(refused("[{operator: coalesce, layers: 2, width: 3}]"),
                 "coalesce divides width by 3: the source has 8"));
  CHECK(contains(refused("[{operator: vocabulary, size: 3}]"), "the source has 32 tokens"));
  CHECK(contains(refused("[{operator: context, length: 3}]"), "the source has 16"));
  CHECK(contains(refused("[{operator: clone, mixing: [[1, 0]]}]"), "expected a list of 2 rows"));
  CHECK(contains(refused("[{operator: clone, mixing: [[1, 0], [0.5, 0.4]]}]"),
                 "a row of 2 numbers with the sum 0.9, expected 2 with the sum 1"));
  CHECK(contains(refused("[{operator: depth, layers: [0, 1, 2]}]"),
                 "layers: found 2, expected numbers from 0 to 1"));
  CHECK(contains(refused("[{operator: depth, factor: 2, new_layers: identity}]", llama()),
                 "such layers are zero and they would never train"));
}

TEST_CASE("operators that contradict each other are refused with the reason") {
  CHECK(contains(refused("[{operator: upcycle, experts: 2}, {operator: upcycle, experts: 4}]"),
                 "grow.1: the source has 2 experts already"));
  CHECK(contains(refused("[{operator: mask, ffn: 40}, {operator: depth, layers: 3}]"),
                 "grow.1: found an operator after mask, expected mask to be the last of a growth"));
}
