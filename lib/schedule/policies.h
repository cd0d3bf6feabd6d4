// Which options the training policies of a stage have (docs/policies.md).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "text/fields.h"

namespace stagedtrain::schedule {

// How often layers are drawn: once for each micro-batch (for each step if batch.micro is 0), or
// once for each step. Drawing for each sequence is not offered, because a layer runs all rows of a
// batch together.
enum class LayerDraw { micro, step };
enum class PathScale { none, inverse_keep };

struct LayerDropoutSpec {
  double max = 0.5;
  LayerDraw draw = LayerDraw::micro;
  template <class V>
  void fields(V& v) {
    v("max", max,
      {.doc = "probability that the last layer is left out at the stage's first step. The first "
              "layer is never left out; the probability rises linearly from layer to layer and "
              "falls linearly to 0 at the stage's last step. The branches of layers that run are "
              "multiplied by 1 / (1 - probability)",
       .min = 0,
       .max = 0.9});
    v("draw", draw,
      {.doc = "how often layers are drawn: micro, once for each micro-batch (batch.micro; once for "
              "each step if that is 0); step, once for each step"});
  }
};

struct LayerPathSpec {
  double layers = 0;
  std::vector<double> then;
  std::vector<std::string> keep{"first", "last"};
  PathScale scale = PathScale::none;
  LayerDraw draw = LayerDraw::step;
  template <class V>
  void fields(V& v) {
    v("layers", layers,
      {.doc = "mean number of layers that run; the layers of keep always run, each of the others "
              "with the same probability",
       .min = 1,
       .max = 1e6,
       .required = true});
    v("then", then,
      {.doc = "values of layers for the later parts of the stage, which is divided into equal "
              "parts: {layers: 6, then: [8, 10, 12]} has four",
       .min = 1,
       .max = 1e6});
    v("keep", keep,
      {.doc = "layers that always run: first, last, or both", .choices = {"first", "last"}});
    v("scale", scale,
      {.doc = "factor on the branches of a layer that runs: none, 1; inverse_keep, 1 / its "
              "probability of running"});
    v("draw", draw, {.doc = "how often layers are drawn, as in layer_dropout.draw"});
  }
};

struct FfnPathSpec {
  std::vector<double> shares{0.125, 0.25, 0.5, 1};
  LayerDraw draw = LayerDraw::micro;
  template <class V>
  void fields(V& v) {
    v("shares", shares,
      {.doc = "shares of the hidden units of every feed-forward, one of which is drawn, each with "
              "the same probability: the first units run, the others do not. Each share of ffn "
              "must be a whole number of units",
       .min = 0,
       .max = 1,
       .above_min = true});
    v("draw", draw, {.doc = "how often a share is drawn, as in layer_dropout.draw"});
  }
};

// How the number of executed layers is drawn: low_first, mostly few (Apollo); uniform, each number
// with the same probability.
enum class DepthSampling { low_first, uniform };

struct LayerSharingSpec {
  std::int64_t layers = 0;
  DepthSampling sampling = DepthSampling::low_first;
  LayerDraw draw = LayerDraw::micro;
  template <class V>
  void fields(V& v) {
    v("layers", layers,
      {.doc = "most layers that a pass executes, usually those of the final model; the fewest are "
              "those of this stage's model",
       .min = 1,
       .max = 65536,
       .required = true});
    v("sampling", sampling,
      {.doc = "how the number of executed layers is drawn: low_first, mostly few (Apollo's "
              "low-value-prioritized sampling); uniform, each number with the same probability"});
    v("draw", draw, {.doc = "how often a number is drawn, as in layer_dropout.draw"});
  }
};

struct TokenDroppingSpec {
  std::int64_t start = 0, step = 16;
  double over = 0.7;
  template <class V>
  void fields(V& v) {
    v("start", start,
      {.doc = "tokens of each sequence that pass through the middle layers at the stage's first "
              "step",
       .min = 1,
       .max = 1 << 24,
       .required = true});
    v("step", step,
      {.doc = "the number of tokens rises in steps of this size", .min = 1, .max = 1 << 24});
    v("over", over,
      {.doc = "share of the stage's steps over which the number of tokens rises linearly to the "
              "whole context",
       .min = 0,
       .max = 1,
       .above_min = true});
  }
};

// The order in which groups of layers are trained.
enum class GroupOrder { up, down, random };

struct TrainGroupsSpec {
  std::int64_t layers = 1;
  GroupOrder order = GroupOrder::up;
  template <class V>
  void fields(V& v) {
    v("layers", layers,
      {.doc = "layers in a group; the embeddings belong to the first group, the final norm and an "
              "untied head to the last",
       .min = 1,
       .max = 65536});
    v("order", order,
      {.doc = "which group a step trains: up, from the embeddings to the head, again and again; "
              "down, from the head to the embeddings; random, in an order that is drawn once"});
  }
};

struct AdaptersSpec {
  std::int64_t rank = 8;
  double alpha = 16, lr = 1;
  std::vector<std::string> matrices;
  std::string from;
  std::int64_t samples = 32;
  template <class V>
  void fields(V& v) {
    v("rank", rank,
      {.doc = "rank of B A, at most the shorter side of each adapted matrix",
       .min = 1,
       .max = 1 << 16});
    v("alpha", alpha,
      {.doc = "an adapted matrix is W + alpha / rank B A",
       .min = 0,
       .max = 1e6,
       .above_min = true});
    v("lr", lr,
      {.doc = "factor on the learning rate of A and B", .min = 0, .max = 1e4, .above_min = true});
    v("matrices", matrices,
      {.doc = "which matrices of the layers are adapted; the default is all of them",
       .choices = {"query", "key", "value", "output", "gate", "up", "down"}});
    v("from", from,
      {.doc = "checkpoint of a larger model, from whose most sensitive weights A and B begin "
              "(Neural Nuggets; docs/policies.md); W begins without them, so that the model begins "
              "as it was"});
    v("samples", samples,
      {.doc = "sequences on which the sensitivity of the larger model's weights is measured",
       .min = 1,
       .max = 1 << 20});
  }
};

struct TeacherSpec {
  std::int64_t factor = 2;
  double kd = 3, temperature = 1;
  template <class V>
  void fields(V& v) {
    v("factor", factor,
      {.doc = "the student's width, heads and hidden units are those of the stage's model divided "
              "by it",
       .min = 2,
       .max = 64});
    v("kd", kd,
      {.doc = "weight of the distillation loss, the divergence of the student's predictions from "
              "the teacher's, beside the losses of both",
       .min = 0,
       .max = 1e3});
    v("temperature", temperature,
      {.doc = "both logits are divided by it in the distillation loss, which is multiplied by its "
              "square",
       .min = 0,
       .max = 1e3,
       .above_min = true});
  }
};

// The training policies of a stage, of which at most one is on.
struct Policies {
  std::optional<LayerDropoutSpec> layer_dropout;
  std::optional<LayerPathSpec> layer_path;
  std::optional<FfnPathSpec> ffn_path;
  std::optional<LayerSharingSpec> layer_sharing;
  std::optional<TokenDroppingSpec> token_dropping;
  std::optional<TrainGroupsSpec> train_groups;
  std::optional<std::int64_t> train_last;
  std::optional<AdaptersSpec> adapters;
  std::optional<TeacherSpec> teacher;
  template <class V>
  void fields(V& v) {
    v("layer_dropout", layer_dropout,
      {.doc = "layers are left out at random, less often towards the end of the stage; evaluation "
              "runs all layers (docs/policies.md)"});
    v("layer_path", layer_path,
      {.doc = "every step runs a random path through the layers (RaPTr); evaluation runs all "
              "layers (docs/policies.md)"});
    v("ffn_path", ffn_path,
      {.doc = "every pass runs only the first hidden units of each feed-forward, a random share of "
              "them (MatFormer); evaluation runs all units (docs/policies.md)"});
    v("layer_sharing", layer_sharing,
      {.doc = "every pass runs this stage's layers several times over, as a deeper model of random "
              "depth whose layers share weights (Apollo); evaluation runs each layer once "
              "(docs/policies.md)"});
    v("token_dropping", token_dropping,
      {.doc = "only a random part of the tokens passes through the layers between the first and "
              "the last, more and more of them (Random-LTD); evaluation runs all tokens "
              "(docs/policies.md)"});
    v("train_groups", train_groups,
      {.doc = "every step trains one group of layers, in turn, and leaves the others as they are "
              "(HiFT; docs/policies.md)"});
    v("train_last", train_last,
      {.doc = "trains only so many of the last layers, the final norm and the head; everything "
              "below stays as it is (Frozen Layers; docs/policies.md)",
       .min = 1,
       .max = 65536});
    v("adapters", adapters,
      {.doc = "matrices keep their values, and low-rank adapters of them are trained (LoRA); with "
              "train_only: new, those of old layers, beside the new layers (STEP; "
              "docs/policies.md)"});
    v("teacher", teacher,
      {.doc = "trains this stage's model and the smaller one in the corner of its matrices "
              "together, the larger as the teacher of the smaller (Gap Preserving Distillation; "
              "docs/policies.md)"});
  }
};

}  // namespace stagedtrain::schedule

namespace stagedtrain {
template <>
struct EnumNames<schedule::DepthSampling> {
  static constexpr std::array names{"low_first", "uniform"};
};
template <>
struct EnumNames<schedule::GroupOrder> {
  static constexpr std::array names{"up", "down", "random"};
};
template <>
struct EnumNames<schedule::LayerDraw> {
  static constexpr std::array names{"micro", "step"};
};
template <>
struct EnumNames<schedule::PathScale> {
  static constexpr std::array names{"none", "inverse_keep"};
};
}  // namespace stagedtrain
