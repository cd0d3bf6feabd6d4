// Exports checkpoints: the steps that all formats share, and the single-file formats GGUF and
// llm.c.
#include "hub/export.h"

#include <algorithm>
#include <map>

#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "base/error.h"
#include "foreign/gguf_config.h"
#include "foreign/gguf_tokenizer.h"
#include "foreign/rope_factors.h"
#include "hub/foreign_weights.h"
#include "modelfiles/llmc.h"
#include "text/text.h"

namespace stagedtrain::hub {
namespace {

// Like ggml's converter, uses f16 for rows that do not fill whole blocks.
Element gguf_element(const MappedTensor& tensor, Element element) {
  if (tensor.keeps_f32 || tensor.shape.size() == 1) return Element::f32;
  return tensor.shape.back() % block_numbers(element) == 0 ? element : Element::f16;
}

// Adds a copy of the embedding as head where the model is tied and ggml does not tie by itself.
std::vector<MappedTensor> with_gguf_head(std::vector<MappedTensor> tensors,
                                         const arch::ModelConfig& model) {
  if (!model.tied || gguf_ties_heads(model)) return tensors;
  MappedTensor head = *std::ranges::find(tensors, "token_embd.weight", &MappedTensor::name);
  head.name = "output.weight";
  tensors.push_back(std::move(head));
  return tensors;
}

// Returns the configuration to write: without vocabulary rows that no token uses, and with
// logit_scale 1, because the scale is folded into the final norm.
arch::ModelConfig written_model(const state::StateHeader& header,
                                const ParsedTokenizer& tokenizer) {
  arch::ModelConfig model = header.model;
  model.logit_scale = 1;
  if (!tokenizer.spec.empty()) model.vocab = std::min(model.vocab, tokenizer.vocab);
  return model;
}

void check_exportable(const state::StateHeader& header) {
  if (header.model.layers == 0)
    throw usage_error(
        "the model has 0 layers, expected at least 1: other programs refuse such models")
        .with_hint("grow it first: --operator depth --layers N --new_layers random");
  if (arch::is_looped(header.model))
    throw usage_error(
        "the model has a looped core, expected one that runs every layer once (model.core 0): the "
        "formats of other programs have neither repeated layers nor boundaries");
  if (arch::has_routed_layers(header.model))
    throw usage_error(
        "the model has routed layers, expected one whose layers take all tokens "
        "(model.routed_every 0): the formats of other programs have no routers of tokens");
  const std::int64_t full = header.mask.start + header.mask.steps;
  if (header.mask.steps > 0 && header.progress.step < full)
    throw usage_error("the mask of the last growth rises until step {}; this is step {}", full,
                      header.progress.step)
        .with_hint("train until the mask is 1: other programs do not support masks");
}

}  // namespace

ExportResult export_model(const state::CheckpointReader& from, const Path& target,
                          const ExportOptions& options) {
  check_exportable(from.header());
  if (options.kind == state::TensorKind::ema && !from.header().ema)
    throw usage_error("--ema: the checkpoint has no moving average of the weights")
        .with_hint("leave --ema out, or train with ema in the schedule");
  if (options.element == Element::q8_0 && options.format != ExportFormat::gguf)
    throw usage_error("--dtype q8_0 works only with --to gguf");
  const ParsedTokenizer tokenizer(from.header().run.tokenizer);
  const arch::ModelConfig model = written_model(from.header(), tokenizer);
  ExportResult result =
      options.format == ExportFormat::hf     ? export_hf(from, model, tokenizer, target, options)
      : options.format == ExportFormat::gguf ? export_gguf(from, model, tokenizer, target, options)
                                             : export_llmc(from, model, target, options);
  result.model = model;
  if (model.vocab < from.header().model.vocab)
    result.notes.push_back(fmt::format("{} padded rows of the vocabulary were left out.",
                                       grouped(from.header().model.vocab - model.vocab)));
  if (from.header().run.tokenizer.empty())
    result.notes.push_back("The checkpoint has no tokenizer, so none was written.");
  return result;
}

ExportResult export_gguf(const state::CheckpointReader& from, const arch::ModelConfig& model,
                         const ParsedTokenizer& tokenizer, const Path& target,
                         const ExportOptions& options) {
  refuse_overwrite(target, options.force);
  GgufHeader header;
  add_gguf_config(header, model, options.element, target.stem().string());
  const ForeignWeights weights(from, options.kind, gguf_names(model), model);
  const std::vector<MappedTensor> tensors = with_gguf_head(weights.tensors(), model);
  std::vector<TensorOutline> outlines;
  int fallbacks = 0;
  for (const MappedTensor& tensor : tensors) {
    const Element element = gguf_element(tensor, options.element);
    fallbacks += element == Element::f16 && options.element == Element::q8_0;
    outlines.push_back({tensor.name, element, tensor.shape});
  }
  std::vector<float> factors;  // written behind the weights
  if (model.rope_scaling == "llama3") {
    factors = rope_factors(model);
    outlines.push_back({kRopeFactors, Element::f32, {static_cast<std::int64_t>(factors.size())}});
  }
  std::vector<std::string> notes;
  add_gguf_tokenizer(header, tokenizer, model.vocab, notes);
  const std::string head = header.bytes(outlines);
  std::vector<PlacedTensor> placed;
  std::uint64_t end = head.size(), factors_at = 0;
  for (std::size_t i = 0; i < outlines.size(); ++i) {
    const std::uint64_t begin = end;
    end += gguf_padded(outlines[i].bytes());
    if (i < tensors.size())
      placed.push_back({&tensors[i], outlines[i].element, begin, end});
    else
      factors_at = begin;
  }
  AtomicFile atomic(target, options.force ? Replace::yes : Replace::no);
  OutputFile out(atomic.path(), OutputFile::Mode::existing);
  PieceOutput pieces(out, end);
  pieces.write(0, std::as_bytes(std::span(head)));
  weights.write(placed, pieces);
  if (!factors.empty()) {
    pieces.write(factors_at, std::as_bytes(std::span(factors)));
    pieces.write_zeros(factors_at + factors.size() * sizeof(float), end);
  }
  pieces.finish();
  out.close();
  atomic.commit();
  ExportResult result{model, {target.filename().string()}, end, std::move(notes)};
  if (fallbacks > 0)
    result.notes.push_back(fmt::format(
        "{} tensors are f16: the length of their rows is not a multiple of 32, as q8_0 requires.",
        fallbacks));
  return result;
}

ExportResult export_llmc(const state::CheckpointReader& from, const arch::ModelConfig& model,
                         const Path& target, const ExportOptions& options) {
  refuse_overwrite(target, options.force);
  const std::string head = llmc_header(model, options.element);
  const ForeignWeights weights(from, options.kind, llmc_names(), model);
  std::map<std::string, const MappedTensor*> by_name;
  for (const MappedTensor& tensor : weights.tensors()) by_name[tensor.name] = &tensor;
  std::vector<PlacedTensor> placed;
  std::uint64_t end = head.size();
  for (const std::string& name : llmc_order(model.layers)) {
    const MappedTensor& tensor = *by_name.at(name);
    const std::uint64_t begin = end;
    end += TensorOutline{name, options.element, tensor.shape}.bytes();
    if (name == "wte")  // the padding of the vocabulary
      end += static_cast<std::uint64_t>((llmc_padded_vocab(model.vocab) - model.vocab) *
                                        model.width * block_bytes(options.element));
    placed.push_back({&tensor, options.element, begin, end});
  }
  AtomicFile atomic(target, options.force ? Replace::yes : Replace::no);
  OutputFile out(atomic.path(), OutputFile::Mode::existing);
  PieceOutput pieces(out, end);
  pieces.write(0, std::as_bytes(std::span(head)));
  weights.write(placed, pieces);
  pieces.finish();
  out.close();
  atomic.commit();
  return {model, {target.filename().string()}, end, {}};
}

}  // namespace stagedtrain::hub
