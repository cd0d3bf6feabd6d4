// What shape does a model have? These numbers are shared by all parts of the program.
#pragma once

#include <cstdint>
#include <string>

#include "arch/parameterization.h"
#include "text/fields.h"

namespace stagedtrain::arch {

// The shape of a model. In a schedule 0 means "derive": see resolved(). All other code sees only
// resolved configurations. parameterization is not a key of `model`: a schedule has it at its top,
// for all stages.
struct ModelConfig {
  std::string architecture = "gpt2";
  std::int64_t layers = 0;     // transformer blocks
  std::int64_t width = 0;      // width of the residual stream
  std::int64_t heads = 0;      // query heads
  std::int64_t kv_heads = 0;   // key and value heads; 0: same as heads
  std::int64_t head_dim = 0;   // size of one query or key; 0: width / heads
  std::int64_t value_dim = 0;  // size of one value; 0: same as head_dim
  std::int64_t ffn = 0;        // hidden size of a feed-forward; 0: the architecture's default
  std::int64_t vocab = 0;      // token ids are below it
  std::int64_t context = 0;    // longest sequence, in tokens
  bool tied = true;            // the head's weight is the token embedding
  double norm_eps = 1e-5;      // added inside the square root of a norm
  double rope_theta = 1e4;     // base of the rotary wavelengths
  double rotary_share = 1;     // share of a query's and key's entries that rotate; neox only
  // Rescales rotary frequencies for contexts longer than those of the first training. linear
  // divides all of them by rope_factor. llama3 divides those that turn fewer than rope_low times in
  // rope_original tokens, keeps those that turn more than rope_high times, and interpolates in
  // between.
  std::string rope_scaling = "none";
  double rope_factor = 1, rope_low = 1, rope_high = 4;
  std::int64_t rope_original = 8192;
  double logit_scale = 1;              // the logits are multiplied by it
  std::int64_t experts = 0;            // feed-forwards per block, chosen by a router; 0: one dense
  std::int64_t experts_per_token = 2;  // experts that each token uses
  bool norm_topk = true;               // the gates of a token's experts add up to 1
  double router_loss = 0.01;           // coefficient of the load-balancing loss, in training
  // Looped cores (arch/loops.h): a prelude, a core that runs `passes` times, and a coda.
  std::int64_t core = 0;  // layers of the core; 0: every layer runs once, and there are no parts
  std::int64_t prelude = 0, coda = 0;  // layers before and after it
  std::int64_t passes = 1;             // how often a core runs
  bool tied_cores = true;              // all passes run the same layers
  bool boundary = true;                // before each pass and the coda: h <- RMSNorm(h) + alpha e
  double boundary_alpha = 1;
  // Routed layers (arch/routed_layers.h): a router s = sigmoid(w . x) of the layer chooses the
  // tokens that pass through it. What it adds is multiplied by
  // routed_base / 2 + (s - 1/2) routed_gain.
  std::int64_t routed_every = 0;      // the last of each so many layers is routed; 0: none
  double routed_share = 0.5;          // share of a pass's tokens that it chooses in training
  std::string routed_labels = "own";  // what routers learn to predict
  double routed_loss = 0.1;           // coefficient of the routers' loss, in training
  double routed_base = 1, routed_gain = 1;
  Parameterization parameterization;  // how initial values and optimizer steps depend on the size

  bool operator==(const ModelConfig&) const = default;

  template <class V>
  void fields(V& v);
};

// Returns the configuration with all derived sizes filled in. Throws Error(usage), naming the rule,
// if a size is missing, out of range or inconsistent (heads that do not divide width).
ModelConfig resolved(ModelConfig config);
// Returns, for instance, "gpt2, 6 layers x 128, 4 heads of 32, ffn 512, context 128, vocab 256",
// plus every field that differs from its default.
std::string describe(const ModelConfig& config);

template <class V>
void ModelConfig::fields(V& v) {
  const double most = 1 << 24;
  v("architecture", architecture,
    {.doc = "the kind of transformer",
     .choices = {"gpt2", "llama", "qwen2", "qwen3", "olmo2", "olmoe", "neox"}});
  v("layers", layers, {.doc = "transformer blocks", .min = 0, .max = 65536});
  v("width", width, {.doc = "size of the residual stream", .min = 0, .max = most});
  v("heads", heads, {.doc = "query heads", .min = 0, .max = most});
  v("kv_heads", kv_heads,
    {.doc = "key and value heads; 0 means as many as heads", .min = 0, .max = most});
  v("head_dim", head_dim,
    {.doc = "size of a head's query and key; 0 means width / heads", .min = 0, .max = most});
  v("value_dim", value_dim,
    {.doc = "size of a head's value; 0 means as head_dim", .min = 0, .max = most});
  v("ffn", ffn,
    {.doc = "hidden units of a feed-forward; 0 means 4 * width for gpt2 and neox, else 43/16 * "
            "width, rounded up (11008 for 4096; about 8/3, and it grows as width does)",
     .min = 0,
     .max = most});
  v("vocab", vocab, {.doc = "number of token ids; bytes need 256", .min = 0, .max = 1 << 30});
  v("context", context, {.doc = "longest sequence, in tokens", .min = 0, .max = most});
  v("tied", tied, {.doc = "the output head shares the token embedding"});
  v("norm_eps", norm_eps,
    {.doc = "added inside the square root of a norm", .min = 0, .max = 1, .above_min = true});
  v("rope_theta", rope_theta,
    {.doc = "base of the wavelengths of the rotary embedding; not for gpt2, which has none",
     .min = 1,
     .max = 1e12});
  v("rotary_share", rotary_share,
    {.doc = "how much of each query and key is turned by its position, the rest staying as it is; "
            "neox only",
     .min = 0,
     .max = 1,
     .above_min = true});
  v("rope_scaling", rope_scaling,
    {.doc = "lower rotary frequencies, for texts longer than those of the first training. linear: "
            "all of them; llama3: the low ones",
     .choices = {"none", "linear", "llama3"}});
  v("rope_factor", rope_factor,
    {.doc = "what rope_scaling divides frequencies by", .min = 1, .max = 1e6});
  v("rope_low", rope_low,
    {.doc = "llama3: frequencies of fewer turns in rope_original tokens are divided",
     .min = 0,
     .max = 1e6,
     .above_min = true});
  v("rope_high", rope_high,
    {.doc = "llama3: frequencies of more turns in rope_original tokens stay as they are",
     .min = 0,
     .max = 1e6,
     .above_min = true});
  v("rope_original", rope_original,
    {.doc = "llama3: context of the first training, in tokens", .min = 1, .max = most});
  v("logit_scale", logit_scale,
    {.doc = "the logits are multiplied by it", .min = 0, .max = 1e6, .above_min = true});
  v("experts", experts,
    {.doc = "feed-forwards of each block, of which a router chooses; 0 means one for all tokens",
     .min = 0,
     .max = 65536});
  v("experts_per_token", experts_per_token,
    {.doc = "experts that each token goes through, where there are experts",
     .min = 1,
     .max = 65536});
  v("norm_topk", norm_topk,
    {.doc = "the gates of a token's experts add up to 1, as in Mixtral; false: they are the "
            "router's softmax over all experts, as in OLMoE"});
  v("router_loss", router_loss,
    {.doc = "coefficient of the load-balancing loss, added in training where there are experts",
     .min = 0,
     .max = 1e3});
  v("core", core,
    {.doc = "layers of a core that runs several times, between a prelude and a coda; 0 means that "
            "every layer runs once",
     .min = 0,
     .max = 65536});
  v("prelude", prelude, {.doc = "layers before the core", .min = 0, .max = 65536});
  v("coda", coda, {.doc = "layers after the core", .min = 0, .max = 65536});
  v("passes", passes, {.doc = "how often a core runs", .min = 1, .max = 65536});
  v("tied_cores", tied_cores,
    {.doc = "all passes run the same layers, so that layers = prelude + core + coda; false: each "
            "pass has its own, so that layers = prelude + passes * core + coda"});
  v("boundary", boundary,
    {.doc = "before each pass of the core and before the coda, the residual stream h becomes "
            "RMSNorm(h) + boundary_alpha * e, where e is what the prelude left"});
  v("boundary_alpha", boundary_alpha,
    {.doc = "the weight of e at a boundary", .min = 0, .max = 1e3});
  v("routed_every", routed_every,
    {.doc = "the last of each so many layers is routed: only tokens that a router of the layer "
            "chooses pass through it (DLO); 0 means that all tokens pass through all layers",
     .min = 0,
     .max = 65536});
  v("routed_share", routed_share,
    {.doc = "share of the tokens of a forward pass that a routed layer chooses in training; "
            "evaluation takes those with a score of at least 1/2",
     .min = 0,
     .max = 1,
     .above_min = true});
  v("routed_labels", routed_labels,
    {.doc = "what routers learn to predict: own, their own choice; similarity, which tokens the "
            "layer changes most, for which training runs it on all of them",
     .choices = {"own", "similarity"}});
  v("routed_loss", routed_loss,
    {.doc = "coefficient of the loss of the routers, added in training where layers are routed",
     .min = 0,
     .max = 1e3});
  v("routed_base", routed_base,
    {.doc = "what a routed layer adds is multiplied by routed_base / 2 + (score - 1/2) "
            "routed_gain",
     .min = 0,
     .max = 1e3});
  v("routed_gain", routed_gain, {.doc = "see routed_base", .min = 0, .max = 1e3});
}

}  // namespace stagedtrain::arch
