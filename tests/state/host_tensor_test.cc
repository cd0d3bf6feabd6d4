// HostTensor: shape, alignment, zeros, copies.
#include "state/host_tensor.h"

#include <cstdint>
#include <vector>

#include "support/catch.h"
#include "support/errors.h"

using namespace stagedtrain;
using state::DType;
using state::HostTensor;

TEST_CASE("a new tensor is zero, aligned and as large as its shape") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const auto size = GENERATE(std::int64_t{1}, std::int64_t{3}, std::int64_t{100003});
  const HostTensor tensor(dtype, {size, 5});
  REQUIRE(tensor.count() == 5 * size);
  CHECK(tensor.byte_size() == static_cast<std::size_t>(5 * size) * state::dtype_size(dtype));
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.bytes().data()) % 64 == 0);
  bool zero = true;
  for (const std::byte byte : tensor.bytes()) zero = zero && byte == std::byte{0};
  CHECK(zero);
}

TEST_CASE("elements are read and written as numbers whatever the type") {
  HostTensor single(DType::f32, {2}), wide(DType::f64, {2});
  single.set(1, 0.1);
  wide.set(1, 0.1);
  CHECK(single.at(1) == static_cast<double>(0.1f));
  CHECK(wide.at(1) == 0.1);
  CHECK(single.at(0) == 0);
  CHECK(wide.as<double>()[1] == 0.1);
}

TEST_CASE("the wrong type, an index beyond the end and an absurd shape are refused") {
  HostTensor tensor(DType::f32, {2});
  test::refusal(ErrorKind::bug, [&] { tensor.as<double>(); });
  test::refusal(ErrorKind::bug, [&] { (void)tensor.at(2); });
  test::refusal(ErrorKind::bug, [&] { tensor.set(-1, 0); });
  const std::int64_t large = std::int64_t{1} << 40;
  test::refusal(ErrorKind::bug, [&] { HostTensor(DType::f32, {large, large}); });
  test::refusal(ErrorKind::bug, [&] { HostTensor(DType::f32, {-1}); });
}

TEST_CASE("a clone has the same values in memory of its own") {
  HostTensor tensor(DType::f32, {3});
  tensor.set(2, 4);
  const HostTensor copy = tensor.clone();
  tensor.set(2, 5);
  CHECK(copy.at(2) == 4);
  CHECK(copy.shape() == tensor.shape());
}

TEST_CASE("a tensor without elements is allowed and empty") {
  const HostTensor tensor(DType::f64, {0, 4});
  CHECK(tensor.count() == 0);
  CHECK(tensor.clone().bytes().empty());
}

TEST_CASE("tensors of 64 KiB or more begin on a page, are zero and do not share bytes") {
  std::vector<HostTensor> tensors;
  for (std::int64_t i = 0; i < 40; ++i) {  // 64 KiB to 9 MiB
    tensors.emplace_back(DType::f32, std::vector<std::int64_t>{16384 + 57000 * i + i});
    CHECK(reinterpret_cast<std::uintptr_t>(tensors.back().bytes().data()) % 4096 == 0);
    CHECK(tensors.back().at(0) == 0);
    CHECK(tensors.back().at(tensors.back().count() - 1) == 0);
    for (float& value : tensors.back().as<float>()) value = static_cast<float>(i);
  }
  for (std::size_t i = 0; i < tensors.size(); i += 2)
    tensors[i] = HostTensor(DType::f32, {std::int64_t{20000}});
  bool whole = true;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    for (const float value : tensors[i].as<float>())
      whole = whole && value == (i % 2 == 0 ? 0 : static_cast<float>(i));
  CHECK(whole);
}
