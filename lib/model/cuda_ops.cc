// Implements the operations of a block with CUDA kernels. Each operation and its gradient form one
// autograd function.
#include <torch/csrc/autograd/custom_function.h>

#include "model/block_ops.h"
#include "model/cuda_arrays.h"
#include "model/cuda_loss.h"

namespace stagedtrain::model {
namespace {

namespace cuda = kernels::cuda;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

at::Tensor contiguous(const at::Tensor& x) { return x.defined() ? x.contiguous() : x; }
std::int64_t rows_of(const at::Tensor& x) { return x.numel() / x.size(-1); }

struct AddNorm : Function<AddNorm> {
  using Maybe = std::optional<at::Tensor>;  // how autograd passes a tensor that may be undefined
  static tensor_list forward(AutogradContext* context, const at::Tensor& given, const Maybe& branch,
                             const at::Tensor& weight, const Maybe& bias_or_none, double eps) {
    const at::Tensor x = given.contiguous(), added = branch ? branch->contiguous() : at::Tensor();
    const at::Tensor bias = bias_or_none.value_or(at::Tensor());
    const std::int64_t rows = rows_of(x);
    const at::Tensor sum = added.defined() ? at::empty_like(x) : at::Tensor();
    const at::Tensor y = at::empty_like(x), rstd = floats(x, {rows});
    const at::Tensor mean = bias.defined() ? floats(x, {rows}) : at::Tensor();
    with_type_of(x, [&]<class T>(T) {
      cuda::add_norm<T>({read_by<T>(x), read_by<T>(added), read_by<T>(weight), read_by<T>(bias),
                         written_by<T>(sum), written_by<T>(y), written_by<float>(mean),
                         written_by<float>(rstd), rows, x.size(-1), static_cast<float>(eps)},
                        stream_of(x));
    });
    context->save_for_backward({added.defined() ? sum : x, weight, mean, rstd});
    context->saved_data["added"] = added.defined();
    context->saved_data["bias"] = bias.defined();
    if (added.defined()) return {sum, y};
    return {y};
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &sum = saved[0], &weight = saved[1];
    const bool added = context->saved_data["added"].toBool();
    const at::Tensor dsum = added ? contiguous(gradients[0]) : at::Tensor();
    const at::Tensor dy =
        gradients.back().defined() ? gradients.back().contiguous() : at::zeros_like(sum);
    const at::Tensor dx = at::empty_like(sum), dweight = at::empty_like(weight);
    const at::Tensor dbias =
        context->saved_data["bias"].toBool() ? at::empty_like(weight) : at::Tensor();
    const at::Tensor partials = floats(sum, {cuda::kGroups, 2, sum.size(-1)});
    with_type_of(sum, [&]<class T>(T) {
      cuda::add_norm_backward<T>(
          {read_by<T>(sum), read_by<T>(weight), read_by<T>(dy), read_by<T>(dsum),
           read_by<float>(saved[2]), read_by<float>(saved[3]), written_by<T>(dx),
           written_by<T>(dweight), written_by<T>(dbias), written_by<float>(partials), rows_of(sum),
           sum.size(-1)},
          stream_of(sum));
    });
    return {dx, added ? dx : at::Tensor(), dweight, dbias, at::Tensor()};
  }
};

struct BiasGelu : Function<BiasGelu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& given,
                            const at::Tensor& bias) {
    const at::Tensor x = given.contiguous(), y = at::empty_like(x);
    with_type_of(x, [&]<class T>(T) {
      cuda::bias_gelu<T>(
          {read_by<T>(x), read_by<T>(bias), written_by<T>(y), rows_of(x), x.size(-1)},
          stream_of(x));
    });
    context->save_for_backward({x, bias});
    return y;
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &bias = saved[1];
    const at::Tensor dy = gradients[0].contiguous(), dx = at::empty_like(x);
    const at::Tensor dbias = at::empty_like(bias);
    const at::Tensor partials = floats(x, {cuda::kGroups, x.size(-1)});
    with_type_of(x, [&]<class T>(T) {
      cuda::bias_gelu_backward<T>(
          {read_by<T>(x), read_by<T>(bias), read_by<T>(dy), written_by<T>(dx), written_by<T>(dbias),
           written_by<float>(partials), rows_of(x), x.size(-1)},
          stream_of(x));
    });
    return {dx, dbias};
  }
};

struct SwiGlu : Function<SwiGlu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& given) {
    const at::Tensor gate_up = given.contiguous();
    std::vector<std::int64_t> shape = gate_up.sizes().vec();
    shape.back() /= 2;
    const at::Tensor y = at::empty(shape, gate_up.options());
    with_type_of(y, [&]<class T>(T) {
      cuda::swiglu<T>({read_by<T>(gate_up), written_by<T>(y), rows_of(y), y.size(-1)},
                      stream_of(y));
    });
    context->save_for_backward({gate_up});
    return y;
  }

  static tensor_list backward(AutogradContext* context, tensor_list gradients) {
    const at::Tensor gate_up = context->get_saved_variables()[0];
    const at::Tensor dy = gradients[0].contiguous(), dgate_up = at::empty_like(gate_up);
    with_type_of(dy, [&]<class T>(T) {
      cuda::swiglu_backward<T>(
          {read_by<T>(gate_up), read_by<T>(dy), written_by<T>(dgate_up), rows_of(dy), dy.size(-1)},
          stream_of(dy));
    });
    return {dgate_up};
  }
};

Summed add_norm(const at::Tensor& x, const at::Tensor& added, const at::Tensor& weight,
                const at::Tensor& bias, double eps) {
  const auto maybe = [](const at::Tensor& t) {
    return t.defined() ? std::optional(t) : std::nullopt;
  };
  const tensor_list made = AddNorm::apply(x, maybe(added), weight, maybe(bias), eps);
  return {made.size() > 1 ? made[0] : x, made.back()};
}

at::Tensor linear_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return BiasGelu::apply(at::linear(x, weight), bias);
}

at::Tensor swiglu(const at::Tensor& gate_up) { return SwiGlu::apply(gate_up); }

}  // namespace

const BlockOps& cuda_ops() {
  static const BlockOps ops{"cuda", add_norm, linear_gelu, swiglu, cuda_classifier_loss};
  return ops;
}

}  // namespace stagedtrain::model
