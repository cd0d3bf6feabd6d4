// Computes log-likelihoods of continuations. With a decoder, tokens that examples share are read
// once.
#include "eval/tasks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/signals.h"
#include "reference/decoder.h"
#include "text/utf8.h"

namespace stagedtrain::eval {
namespace {

using Ids = std::vector<std::int64_t>;

constexpr std::size_t kBlock = 32;  // examples that a process takes at a time

struct Likelihood {
  double value = 0;     // in nats
  bool greedy = false;  // whether each token is the likeliest one
};

class Scorer {
 public:
  explicit Scorer(model::Model& model) : model_(model), decoder_(model::make_decoder(model)) {}
  // Returns the likelihood of the last `count` tokens, given those before them.
  Likelihood operator()(const Ids& tokens, std::int64_t count) {
    const Ids read(tokens.begin(), tokens.end() - 1);
    const at::Tensor logits_nV = at::log_softmax(behind(read, count).to(at::kDouble), 1);
    const at::Tensor wanted_n =
        tensor_of({tokens.end() - count, tokens.end()}).to(logits_nV.device());
    const at::Tensor each = logits_nV.gather(1, wanted_n.unsqueeze(1));
    return {each.sum().item<double>(), logits_nV.argmax(1).equal(wanted_n)};
  }

 private:
  static at::Tensor tensor_of(const Ids& ids) {
    const at::Tensor tensor = at::empty({static_cast<std::int64_t>(ids.size())}, at::kLong);
    std::copy(ids.begin(), ids.end(), tensor.data_ptr<std::int64_t>());
    return tensor;
  }
  at::Tensor behind(const Ids& read, std::int64_t count) {
    const auto size = static_cast<std::int64_t>(read.size());
    if (!decoder_) {
      const at::Tensor all = model_.logits(on_device(read).unsqueeze(0))[0];
      return all.narrow(0, size - count, count);
    }
    const auto differ = std::mismatch(read.begin(), read.end() - count, read_.begin(), read_.end());
    const auto same = differ.first - read.begin();
    decoder_->go_back(same);
    read_ = read;
    // The rest of the context is read on its own. Kernels for few rows and for many differ in the
    // last bits, so otherwise a continuation's value would depend on whether its context was known.
    const auto context = read.begin() + (size - count);
    if (same < size - count) decoder_->read(on_device({read.begin() + same, context}), 1);
    return decoder_->read(on_device({context, read.end()}), count);
  }
  at::Tensor on_device(const Ids& ids) const {
    return tensor_of(ids).to(model_.options().device);
  }
  model::Model& model_;
  std::unique_ptr<model::Decoder> decoder_;
  Ids read_;
};

std::vector<std::int32_t> encoded(const data::Tokenizer& tokenizer, const std::string& text) {
  return tokenizer.encode(text);  // the file was read as JSON, so the text is valid UTF-8
}

Likelihood likelihood(Scorer& score, const model::Model& model, const data::Tokenizer& tokenizer,
                      const TaskExample& example, const std::string& continuation) {
  const auto context = encoded(tokenizer, example.context);
  auto all = encoded(tokenizer, example.context + continuation);
  const auto count = static_cast<std::int64_t>(all.size()) - static_cast<std::int64_t>(context.size());
  const std::int64_t most = model.config().context;
  if (count < 1 || context.empty() || count > most)
    throw input_error("{}: a continuation has {} tokens, expected 1 to {} (the model's context)",
                      example.place, count, most);
  // As in lm-evaluation-harness (api/model.py, _encode_pair): where a token would span both texts,
  // the model reads the context as it is encoded alone.
  std::ranges::copy(context, all.begin());
  const auto unknown = std::ranges::find_if(all, [&](auto id) { return id >= model.config().vocab; });
  if (unknown != all.end())
    throw input_error(
        "{}: found the token id {}, expected ids below {}, the size of the vocabulary",
        example.place, *unknown, model.config().vocab);
  const auto kept = std::min<std::int64_t>(static_cast<std::int64_t>(all.size()), most + 1);
  return score(Ids(all.end() - kept, all.end()), count);
}

Likelihood finite_likelihood(Scorer& score, const model::Model& model,
                             const data::Tokenizer& tokenizer, const TaskExample& example,
                             std::size_t continuation) {
  if (continuation == 0) stop_point("scoring tasks");
  const Likelihood found =
      likelihood(score, model, tokenizer, example, example.continuations[continuation]);
  if (!std::isfinite(found.value))
    throw Error(ErrorKind::diverged,
                example.place +
                    ": its log-likelihood is not finite: weights of the checkpoint are "
                    "not finite, or too large",
                "'stagedtrain show CHECKPOINT --tensors' lists the weights that are not finite");
  return found;
}

Share share_of(std::int64_t hits, std::int64_t count) {
  if (count == 0) return {};
  const double n = static_cast<double>(count), p = static_cast<double>(hits) / n;
  return {p, count > 1 ? std::sqrt(p * (1 - p) / (n - 1)) : std::numeric_limits<double>::quiet_NaN()};
}

// Returns the first continuation with the largest likelihood per size(continuation).
template <class Size>
std::size_t best(const TaskExample& example, const std::vector<double>& likelihoods, Size size) {
  std::size_t found = 0;
  double most = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < likelihoods.size(); ++i) {
    std::string_view text = example.continuations[i];
    text.remove_prefix(example.moved);
    if (text.starts_with(' ')) text.remove_prefix(1);
    const double value = likelihoods[i] / static_cast<double>(size(text));
    if (value > most) {
      most = value;
      found = i;
    }
  }
  return found;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// The likelihoods of all continuations, as one list of numbers that processes can add up.
class Scores {
 public:
  explicit Scores(const std::vector<TaskExample>& examples) {
    for (const TaskExample& example : examples) {
      first_.push_back(count_);
      count_ += example.continuations.size();
    }
    numbers_.resize(2 * count_);
  }
  void set(std::size_t example, std::size_t continuation, const Likelihood& found) {
    numbers_[first_[example] + continuation] = found.value;
    numbers_[count_ + first_[example] + continuation] = found.greedy ? 1 : 0;
  }
  std::vector<double> values(std::size_t example, std::size_t continuations) const {
    const auto begin = numbers_.begin() + static_cast<std::ptrdiff_t>(first_[example]);
    return {begin, begin + static_cast<std::ptrdiff_t>(continuations)};
  }
  // Of the only continuation of an example.
  bool greedy(std::size_t example) const { return numbers_[count_ + first_[example]] != 0; }
  std::vector<double>& numbers() { return numbers_; }

 private:
  std::vector<std::size_t> first_;  // of each example, among all continuations
  std::size_t count_ = 0;
  std::vector<double> numbers_;
};

struct Hits {
  std::int64_t plain = 0, by_characters = 0, by_bytes = 0, exact = 0;
  double last_word_likelihood = 0;
};

TaskReport report_of(const std::vector<TaskExample>& examples, const Scores& scores) {
  TaskReport report;
  Hits hits;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const TaskExample& example = examples[i];
    const std::vector<double> values = scores.values(i, example.continuations.size());
    if (example.is_choice()) {
      ++report.choices;
      hits.plain += best(example, values, [](auto) { return 1; }) == example.gold;
      hits.by_characters += best(example, values, characters) == example.gold;
      hits.by_bytes += best(example, values, [](auto text) { return text.size(); }) == example.gold;
    } else {
      ++report.last_words;
      hits.exact += scores.greedy(i);
      hits.last_word_likelihood += values[0];
    }
    report.log_likelihoods.push_back(values);
  }
  report.accuracy = share_of(hits.plain, report.choices);
  report.by_characters = share_of(hits.by_characters, report.choices);
  report.by_bytes = share_of(hits.by_bytes, report.choices);
  report.exact = share_of(hits.exact, report.last_words);
  if (report.last_words > 0)
    report.perplexity =
        std::exp(-hits.last_word_likelihood / static_cast<double>(report.last_words));
  return report;
}

// Scores this process's blocks of examples. A block begins without the tokens of the one before it,
// because the last bits of a likelihood depend on which tokens were known; so the number of
// processes does not matter.
void score_blocks(model::Model& model, const data::Tokenizer& tokenizer,
                  const std::vector<TaskExample>& examples, const EvalShare& share,
                  Scores& scores) {
  const auto rank = static_cast<std::size_t>(share.rank),
             ranks = static_cast<std::size_t>(share.ranks);
  for (std::size_t first = kBlock * rank; first < examples.size(); first += kBlock * ranks) {
    Scorer score(model);
    for (std::size_t i = first; i < std::min(first + kBlock, examples.size()); ++i)
      for (std::size_t c = 0; c < examples[i].continuations.size(); ++c)
        scores.set(i, c, finite_likelihood(score, model, tokenizer, examples[i], c));
  }
}

}  // namespace

TaskReport score_tasks(model::Model& model, const data::Tokenizer& tokenizer,
                       const std::vector<TaskExample>& examples, const EvalShare& share) {
  const auto start = std::chrono::steady_clock::now();
  Scores scores(examples);
  score_blocks(model, tokenizer, examples, share, scores);
  if (share.sum) share.sum(scores.numbers());
  TaskReport report = report_of(examples, scores);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace stagedtrain::eval
